"""Hostile output of tasks, at a real ``serve``: on a terminal, in its JSON log, and what ``ctl``
shows of it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from tests import preloaded
from tests.cli.commands import COMMAND, EXEC_CONFIG, PATIENCE, run_here
from tests.shared import shared
from wove_http_dev.cli.ctl_text import CtlText, Tail
from wove_http_dev.cli.serve_log import TEXT_LIMIT

HOSTILE = (
    "\x1b[2J\x1b]0;title\x07\x1b[8m\r\nok FAKE\x00\u202etxt\u2066\x9b31m\u2028"
    "\x0c\x85\x0e<img src=x onerror=alert(1)>"
)
"""ANSI and OSC sequences, hidden text, CR, BEL, NUL, overrides of the direction of text, further
line breaks, another character set, and HTML."""
SHORT, LONG = 900_000, 10_000_000
"""Characters of a long line: fewer, and more, than wait for a reader."""
CLIENT = """
import os, wove
from wove import weave
{config}
HOSTILE = {hostile!r}

def prints(x):
    print(HOSTILE)
    print("surrogate \\ud800")

def prints_bytes(x):
    import sys
    sys.stdout.buffer.write(b"bytes \\xff\\xfe\\xc3\\n")

def half_a_character(x):
    import sys
    sys.stdout.buffer.write(b"half \\xc3")

def begins_a_title(x):
    print("begun \\x1b]0;never ended", end="", flush=True)

def hides(x):
    import sys
    sys.stderr.write("hidden \\x1b[8m\\x0e")

def logs(x):
    import logging
    logging.getLogger("name\\x1b[31m\\nFAKE").warning("%s", HOSTILE)

def long_line(x):
    print("A" * {size})

def returns(x):
    return HOSTILE

def raises(x):
    class Error(Exception):
        pass
    Error.__name__ = Error.__qualname__ = "Error" + HOSTILE.replace("\\0", "")
    raise Error(HOSTILE + "\\ud800")

def threads(x):
    import threading
    def lines():
        for _ in range(20):
            print("part of", end=" ")
            print("a line")
    started = [threading.Thread(target=lines) for _ in range(4)]
    for each in started:
        each.start()
    for each in started:
        each.join()

def ends_early(x):
    import sys, threading
    def late():
        sys.go_on.wait()
        print("late \\x1b]0;title", end="")
    sys.go_on = threading.Event()
    sys.late = threading.Thread(target=late)
    sys.late.start()

def after_that(x):
    import sys
    sys.go_on.set()
    sys.late.join()

def starts_a_process(x):
    import os, subprocess
    os.write(1, b"raw \\xff\\x00 no line break")
    subprocess.run(["printf", "process"], check=True)

def closes(x):
    import sys
    sys.stdout.close()
    print("closed, and printed")

tasks = [prints, prints_bytes, half_a_character, begins_a_title, hides, logs, returns, raises,
         threads, ends_early, after_that, closes, long_line]
for task in [*tasks, *[starts_a_process] * {processes}]:
    with weave(x=HOSTILE + "\\ud800") as w:
        task.__name__ += HOSTILE
        w.do(environment="workers")(task)
"""
TASKS = CLIENT.count("def ") - len(("lines", "late", "starts_a_process"))
"""Tasks without the one that writes to the descriptor itself."""
SGR = re.compile(r"\x1b\[[0-9;]*m")
RESET = "\x1b\\\x0f\x1b(B"
"""What ends a title and another character set."""


def weave_all(ready: dict[str, str], *, size: int, processes: int = 0) -> None:
    """Run the client's tasks, in a process of its own."""
    environ = {
        **os.environ,
        "WOVE_WORKER_URL": ready["url"],
        "WOVE_WORKER_SECRET": Path(ready["secret_file"]).read_text(),
        "SSL_CERT_FILE": ready["bundle_file"],
        "no_proxy": "localhost",
    }
    script = CLIENT.format(config=EXEC_CONFIG, hostile=HOSTILE, size=size, processes=processes)
    Path("client.py").write_text(script)
    done = preloaded.run(["client.py"], PATIENCE, environ)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def own_directory(directory: Path) -> Iterator[None]:
    """Work in ``directory``, with the state in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("XDG_STATE_HOME", str(directory / "state"))
        patch.delenv("NO_COLOR", raising=False)
        patch.setenv("TERM", "xterm")
        yield


# On a terminal


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines that ``serve`` writes to a terminal while a client runs the tasks."""
    return shared(tmp_path_factory, "hostile-terminal", lines_on_a_terminal)


def lines_on_a_terminal(directory: Path) -> list[str]:
    """Run ``serve`` on a terminal, and the tasks; return what is on the terminal then."""
    with own_directory(directory):
        controller, terminal = os.openpty()
        command = [*COMMAND, "serve", "--port", "0", "--no-page", "--ready-file", "ready.json"]
        with subprocess.Popen(command, stdout=terminal, stderr=terminal) as process:
            os.close(terminal)
            seen = bytearray()
            known = threading.Event()
            reader = threading.Thread(target=read_terminal, args=(controller, seen, known))
            reader.start()
            try:
                assert known.wait(PATIENCE)
                weave_all(json.loads(Path("ready.json").read_text()), size=SHORT)
                process.send_signal(signal.SIGTERM)
                process.wait(PATIENCE)
            finally:
                process.kill()
                reader.join()
        os.close(controller)
    return seen.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")


def read_terminal(descriptor: int, seen: bytearray, known: threading.Event) -> None:
    """Read until the terminal has no writer; set ``known`` when the addresses have been read."""
    with contextlib.suppress(OSError):  # Linux: the last writer has ended
        while data := os.read(descriptor, 65536):
            seen += data
            if not known.is_set() and b"no_proxy" in seen:
                known.set()


def log_of(lines: list[str]) -> list[str]:
    """The lines of the log."""
    clock = re.compile(r"\d\d:\d\d:\d\d\.\d\d\d  (started|ok|FAILED) ")
    return [line for line in lines if clock.match(SGR.sub("", line.replace(RESET, "")))]


def shown(line: str) -> str:
    return SGR.sub("", line.replace(RESET, ""))


def test_lines_on_a_terminal(terminal: list[str]) -> None:
    """Whatever tasks print, a line for each start and each end begins at the left."""
    words = [shown(line).split()[1] for line in log_of(terminal)]
    assert words == [
        word for number in range(TASKS) for word in ("started", "FAILED" if number == 7 else "ok")
    ]


def test_log_on_a_terminal_is_printable(terminal: list[str]) -> None:
    """Names, arguments, results and errors are escaped in the log."""
    assert [line for line in map(shown, log_of(terminal)) if not line.isprintable()] == []


@pytest.mark.parametrize("part", ["begun ", "hidden ", "late "])
def test_terminal_is_reset(terminal: list[str], part: str) -> None:
    """A title that a task has begun, text that it hides, and another character set end before the
    next line of the log."""
    (number,) = [number for number, line in enumerate(terminal) if line.startswith(part)]
    assert RESET in terminal[number] + terminal[number + 1].partition("started")[0]
    assert log_of([terminal[number + 1]]) != []


@pytest.mark.parametrize("task", ["half_a_character", "begins_a_title", "hides", "after_that"])
def test_part_of_a_line_on_a_terminal(terminal: list[str], task: str) -> None:
    """What a task prints without a line break is there before the log says that it has ended."""
    ends = [number for number, line in enumerate(terminal) if f" {task}" in shown(line)]
    assert ends[1] - ends[0] == 2


def test_output_on_a_terminal(terminal: list[str]) -> None:
    """What a task prints is shown as it is, and a long line whole."""
    lines = [line.replace(RESET, "").replace("\x1b[0m", "") for line in terminal]
    found = (HOSTILE.partition("\n")[2] in lines, "A" * SHORT in lines)
    assert found == (True, True)


def test_threads_on_a_terminal(terminal: list[str]) -> None:
    """The lines of threads are whole."""
    assert sum(line == "part of a line" for line in terminal) == 80


# The JSON log, and ctl


@dataclass
class Running:
    """A command that runs."""

    process: subprocess.Popen[bytes]
    stdout: IO[bytes]


@contextlib.contextmanager
def running(*words: str, stderr: IO[bytes]) -> Iterator[Running]:
    """Run the command ``words`` until the block ends, or it hangs."""
    with subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=stderr) as process:
        watch = threading.Timer(2 * PATIENCE, process.kill)
        watch.start()
        try:
            assert process.stdout is not None
            yield Running(process, process.stdout)
        finally:
            watch.cancel()
            process.kill()


def read_to(stream: IO[bytes], *parts: bytes) -> Iterator[bytes]:
    """The lines of ``stream`` up to one with all of ``parts``."""
    for line in stream:
        yield line
        if all(part in line for part in parts):
            return


def own_name(task: str) -> str:
    """The name that the client's script has for ``task``."""
    return task.partition(HOSTILE)[0]


@dataclass
class Session:
    """A ``serve --log json``, and what ``ctl`` has shown of it."""

    out: bytes
    err: bytes
    runs: str
    shows: dict[str, str]
    """What ``show`` prints, by the beginning of the task's name."""
    tail: list[bytes]
    """What ``tail --json`` prints."""

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """One session, whose traces several tests read."""
    return shared(tmp_path_factory, "hostile-json", run_session)


def run_session(directory: Path) -> Session:
    """Run ``serve``, ``ctl tail`` and the tasks, and then what ``ctl`` shows."""
    errors = directory / "err"
    with (
        own_directory(directory),
        errors.open("wb") as err,
        running("serve", "--log", "json", "--port", "0", "--page-port", "0", stderr=err) as serve,
        contextlib.nullcontext(serve.stdout.readline()) as first,
        running("ctl", "tail", "--json", stderr=err) as tail,
    ):
        begun = tail.stdout.readline()  # what is in force, before anything happens
        weave_all(json.loads(first), size=LONG, processes=1)
        runs = run_here("ctl", "runs", "--all").stdout
        listed = json.loads(run_here("ctl", "runs", "--json").stdout)["runs"]
        shows = {
            own_name(run["task_id"]): run_here("ctl", "show", run["run_id"]).stdout
            for run in listed
        }
        last = b"starts_a_process", b'"state": "succeeded"'
        tailed = [begun, *read_to(tail.stdout, *last)]
        serve.process.send_signal(signal.SIGTERM)
        out = first + serve.stdout.read()
    return Session(out, errors.read_bytes(), runs, shows, tailed)


def test_json_lines(session: Session) -> None:
    """Whatever tasks, and processes that they start, write: each line on stdout is JSON, in ASCII,
    with a line for each start and each end."""
    events = [entry["event"] for entry in session.entries]
    assert events == ["serving", *["run-started", "run-ended"] * (TASKS + 1), "stopping"]
    assert session.out.isascii()


@pytest.mark.parametrize("key", ["task_id", "args", "result", "error"])
def test_json_texts(session: Session, key: str) -> None:
    """What clients and tasks say is there, and not longer than a text of the log."""
    texts = [entry.get(key) or "" for entry in session.entries]
    assert any("<img src=x" in text for text in texts)
    assert max(map(len, texts)) <= TEXT_LIMIT


def test_output_beside_json(session: Session) -> None:
    """What tasks print, and processes that they start, is on stderr."""
    of_processes = [b"raw \xff\x00 no line break", b"process"]
    assert [part for part in of_processes if part not in session.err] == []
    own = session.err
    for part in of_processes:  # they write by themselves, also in the middle of a line
        own = own.replace(part, b"")
    parts = [HOSTILE.encode(), b"bytes \xff\xfe\xc3\n", b"half \xc3\n", b"A" * LONG]
    parts += [b"closed, and printed\n", b"late "]
    assert [part[:20] for part in parts if part not in own] == []


def test_nothing_is_reset_in_a_file(session: Session) -> None:
    """What is for a terminal is not written to a file."""
    assert RESET.encode() not in session.out + session.err


def test_runs_of_ctl(session: Session) -> None:
    """``ctl runs`` has a line for each run, and escapes what it says."""
    lines = session.runs.splitlines()
    assert len(lines) == TASKS + 2
    assert [line for line in lines if not line.isprintable()] == []


def test_show_of_ctl(session: Session) -> None:
    """``ctl show`` escapes names, arguments, results, errors, tracebacks and output."""
    lines = "\n".join(session.shows.values()).split("\n")
    assert [line for line in lines if not line.replace("\t", "").isprintable()] == []


@pytest.mark.parametrize(
    ("task", "part"),
    [
        ("prints", "\\x1b]0;title\\x07"),
        ("prints", "  surrogate \\ud800"),
        ("prints_bytes", "  bytes \ufffd\ufffd\ufffd"),
        ("half_a_character", "  half \ufffd"),
        ("hides", "  hidden \\x1b[8m\\x0e"),
        ("logs", "  ok FAKE\\x00"),
        ("long_line", "9,934,465 characters left out"),
        ("long_line", "[... 22,767 characters left out ...]"),
        ("returns", "result     '\\x1b[2J"),
        ("raises", "\\ud800"),
        ("closes", "  closed, and printed"),
    ],
)
def test_output_of_ctl(session: Session, task: str, part: str) -> None:
    """What a task wrote is shown with its run: escaped, and where it is cut, how much is left
    out."""
    assert part in session.shows[task]


def test_tail_of_ctl(session: Session) -> None:
    """``ctl tail --json`` prints JSON in ASCII."""
    names = {json.loads(line)["event"] for line in session.tail}
    assert ({"run", "exchange"} <= names, b"".join(session.tail).isascii()) == (True, True)


def test_lines_of_tail(session: Session) -> None:
    """The lines of ``ctl tail`` are one for each start and end, and escape what is said."""
    tail = Tail(CtlText(200))
    events = [json.loads(line) for line in session.tail]
    lines = [line for each in events for line in tail.lines(each["event"], each["data"])]
    ends = [line for line in lines if " started " not in line]
    assert ([line for line in lines if not line.isprintable()], len(ends)) == ([], TASKS + 1)
