"""What the body of a task prints and logs."""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from wove import weave

from tests.forked import status_in_a_fork
from tests.run_records import SECRET
from tests.support import MakeWorker, weave_one
from wove_http_dev import HttpWorker
from wove_http_dev.cli.output import lines_by_thread
from wove_http_dev.runs.capture import LIMIT, Capture, LogHook, capturing_context, note
from wove_http_dev.runs.journal import Journal

TIMEOUT = 10.0
NOTE = 60
"""More characters than a note of what is left out has."""


KEPT = LIMIT // 2 + 4096
AROUND_THE_CUTS = (0, KEPT // 2 - 3, LIMIT // 2 - 4, KEPT - 4, 10**6)
"""Characters between a secret and an end of the text, of one or of two bytes."""


@pytest.fixture
def capture(journal: Journal) -> Capture:
    """What one run has written, with a secret to be redacted."""
    return Capture(journal.redaction.redact)


class TestText:
    """The text of what was written."""

    def test_nothing(self, capture: Capture) -> None:
        """Without output the text is empty."""
        assert capture.text() == ""

    def test_parts(self, capture: Capture) -> None:
        """Parts are put together, also those that end within a character."""
        for part in ("ä".encode()[:1], "ä".encode()[1:], b"b\n"):
            capture.write(part)
        assert capture.text() == "äb\n"

    def test_invalid(self, capture: Capture) -> None:
        """Bytes that are no text are replaced."""
        capture.write(b"a\xffb")
        assert capture.text() == "a\ufffdb"

    @pytest.mark.parametrize("size", [LIMIT, LIMIT + 1, 2 * LIMIT, 10**7])
    @pytest.mark.parametrize("parts", [1, 1000])
    @pytest.mark.parametrize("character", ["x", "ä", "\U0001f40d"])
    def test_limit(self, capture: Capture, size: int, parts: int, character: str) -> None:
        """The text has a limited length, however much was written."""
        for _ in range(parts):
            capture.write((character * (size // parts)).encode())
        assert len(capture.text()) <= LIMIT + NOTE

    @pytest.mark.parametrize("character", ["x", "ä", "\U0001f40d"])
    def test_ends(self, capture: Capture, character: str) -> None:
        """The beginning and the end are kept, in whole characters."""
        capture.write(f"begin{character * 10**6}end".encode())
        text = capture.text()
        assert set(text) - set("begin end [… characters left out …],0123456789\n") <= {character}
        assert (text[:5], text[-3:]) == ("begin", "end")

    @pytest.mark.parametrize("size", [LIMIT + 1, 200_000, 10**7])
    def test_left_out(self, capture: Capture, size: int) -> None:
        """The text says how many characters are left out."""
        capture.write(b"x" * size)
        text = capture.text()
        assert text.count("x") == LIMIT
        assert f"\n[… {size - LIMIT:,} characters left out …]\n" in text

    def test_memory(self, capture: Capture) -> None:
        """What is kept is limited, however much is written."""
        for _ in range(1000):
            capture.write(b"x" * 10_000)
        assert len(capture._begin) + len(capture._end) < 2 * LIMIT

    @pytest.mark.parametrize("filler", ["x", "ä"])
    def test_secret(self, journal: Journal, filler: str) -> None:
        """No part of a secret is shown, wherever the text is cut."""
        shown = {}
        for before, after in itertools.product(AROUND_THE_CUTS, repeat=2):
            capture = Capture(journal.redaction.redact)
            capture.write(f"{filler * before}{SECRET}{filler * after}".encode())
            text = capture.text()
            shown[before, after] = SECRET[:4] in text or SECRET[-4:] in text
        assert [cut for cut, seen in shown.items() if seen] == []

    def test_print_while_it_is_written(self, capture: Capture) -> None:
        """A finalizer that prints while something is written does not block."""

        class Prints(bytes):
            def translate(self, *_: Any) -> bytes:
                capture.write(b"inner ")
                return self

        capture.write(Prints(b"outer"))
        assert capture.text() == "inner outer"


def test_forked_child(capture: Capture) -> None:
    """A forked child can print although another thread held the lock."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with capture._lock:
            held.set()
            release.wait(TIMEOUT)

    def write() -> bool:
        capture.write(b"x")
        return True

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        held.wait(TIMEOUT)
        assert status_in_a_fork(write) == 0
    finally:
        release.set()
        thread.join()


class TestNote:
    """Streams pass on what they get."""

    def test_without_a_run(self, capture: Capture) -> None:
        """What code outside a run writes belongs to no run."""
        note(b"x", "utf-8")
        assert capture.text() == ""

    @pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "latin-1", "cp437", "utf-16-le"])
    def test_encoding(self, capture: Capture, encoding: str) -> None:
        """The text is right in each encoding of the terminal."""
        capturing_context(capture).run(note, "ä\n".encode(encoding), encoding)
        assert capture.text() == "ä\n"


@pytest.fixture
def hook() -> Iterator[LogHook]:
    """A hook that is installed."""
    hook = LogHook()
    hook.install()
    yield hook
    hook.remove()


@pytest.fixture
def logger() -> logging.Logger:
    """A logger whose records reach no other logger."""
    return logging.Logger("app")


class Noting(logging.Handler):
    """A handler whose stream passes on what it gets."""

    def emit(self, record: logging.LogRecord) -> None:
        note(f"{record.getMessage()}\n".encode(), "utf-8")


class Silent(logging.Handler):
    """A handler that writes to a file."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record.getMessage())


@pytest.mark.usefixtures("hook")
class TestLogs:
    """Log records."""

    def logged(self, capture: Capture, log: Callable[..., None], *arguments: Any) -> str:
        """The text after a call of a logger's method."""
        capturing_context(capture).run(log, *arguments)
        return capture.text()

    def test_other_handler(self, capture: Capture, logger: logging.Logger) -> None:
        """A record that goes elsewhere is kept as well."""
        logger.addHandler(Silent())
        assert self.logged(capture, logger.info, "n=%d", 3) == "INFO:app:n=3\n"

    def test_other_handler_gets_it(self, capture: Capture, logger: logging.Logger) -> None:
        """The handlers get the record, once."""
        handler = Silent()
        logger.addHandler(handler)
        self.logged(capture, logger.info, "a")
        assert handler.records == ["a"]

    def test_once(self, capture: Capture, logger: logging.Logger) -> None:
        """A record that a handler writes to a captured stream is kept once, in its form."""
        logger.addHandler(Silent())
        logger.addHandler(Noting())
        assert self.logged(capture, logger.info, "a") == "a\n"

    def test_after_a_line(self, capture: Capture, logger: logging.Logger) -> None:
        """A record is not taken for written because a line was printed before."""

        def log() -> None:
            note(b"a\n", "utf-8")
            logger.addHandler(Silent())
            logger.info("b")

        assert self.logged(capture, log) == "a\nINFO:app:b\n"

    def test_below_the_level(self, capture: Capture, logger: logging.Logger) -> None:
        """A record below the logger's level is not kept."""
        logger.setLevel(logging.WARNING)
        assert self.logged(capture, logger.info, "a") == ""

    def test_outside_a_run(self, capture: Capture, logger: logging.Logger) -> None:
        """A record of other code belongs to no run."""
        logger.addHandler(Silent())
        logger.info("a")
        assert capture.text() == ""

    def test_traceback(self, capture: Capture, logger: logging.Logger) -> None:
        """A record with an exception has its traceback."""
        logger.addHandler(Silent())
        try:
            raise ValueError("no")
        except ValueError:
            text = self.logged(capture, logger.exception, "failed")
        assert text.startswith("ERROR:app:failed\nTraceback")
        assert text.endswith("ValueError: no\n")

    def test_lone_surrogate(self, capture: Capture, logger: logging.Logger) -> None:
        """A record that no encoding can write is escaped."""
        logger.addHandler(Silent())
        assert self.logged(capture, logger.info, "\ud800") == "INFO:app:\\ud800\n"

    def test_arguments_that_do_not_fit(self, capture: Capture, logger: logging.Logger) -> None:
        """A record that cannot be formatted says so, and raises nothing."""
        logger.addHandler(logging.NullHandler())
        text = self.logged(capture, logger.info, "%d", "x")
        assert text == "INFO:app:[not formatted: TypeError]\n"

    def test_basic_config(self) -> None:
        """The root logger has no handler of the hook, so that ``basicConfig()`` has an effect."""
        assert not any("wove_http_dev" in type(each).__module__ for each in logging.root.handlers)


class TestHook:
    """Installing and removing the hook."""

    def test_removed(self) -> None:
        """The method is the original one afterwards."""
        before = logging.Logger.callHandlers
        hook = LogHook()
        hook.install()
        hook.remove()
        assert logging.Logger.callHandlers is before

    def test_removed_twice(self) -> None:
        """A second removal changes nothing."""
        before = logging.Logger.callHandlers
        hook = LogHook()
        hook.install()
        hook.remove()
        hook.remove()
        assert logging.Logger.callHandlers is before

    def test_not_installed(self) -> None:
        """A hook that was not installed changes nothing when it is removed."""
        before = logging.Logger.callHandlers
        LogHook().remove()
        assert logging.Logger.callHandlers is before

    def test_replaced_meanwhile(
        self, capture: Capture, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A method that other code has put around the hook stays; the hook then keeps nothing."""
        monkeypatch.setattr(logging.Logger, "callHandlers", logging.Logger.callHandlers)
        hook = LogHook()
        hook.install()
        inner = logging.Logger.callHandlers

        def outer(self: logging.Logger, record: logging.LogRecord) -> None:
            inner(self, record)

        logging.Logger.callHandlers = outer  # type: ignore[method-assign]
        hook.remove()
        handler = Silent()
        logger.addHandler(handler)
        capturing_context(capture).run(logger.info, "a")
        assert (logging.Logger.callHandlers, handler.records, capture.text()) == (outer, ["a"], "")


@dataclass
class Terminal:
    """A worker as ``serve`` runs it, and what its terminal shows."""

    worker: HttpWorker
    stream: io.StringIO

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Print to the terminal as ``serve`` does, and send Wove's tasks to the worker, until the
        block ends."""
        with (
            redirect_stdout(self.stream),
            redirect_stderr(self.stream),
            lines_by_thread(),
            self.worker.configured(),
        ):
            yield

    def run(self, body: Callable[..., Any]) -> tuple[str, str]:
        """Run a weave with ``body``. Return the output of its run, and what the terminal shows in
        the end."""
        with self.serving():
            weave_one(body)
        return self.worker.runs.last.output, self.stream.getvalue()


@pytest.fixture
def terminal(make_worker: MakeWorker) -> Terminal:
    """A worker that keeps what its runs print, and its terminal."""
    return Terminal(make_worker(inspected=True), io.StringIO())


# Pickled by reference, so that they share these with their test.
meeting = threading.Barrier(2)
printed, ends = threading.Event(), threading.Event()


def meets(item: str) -> str:
    """Prints in turn with the task's other item."""
    for _ in range(3):
        print(item, end=" ")
        meeting.wait(TIMEOUT)
    return item


def waits() -> None:
    """Prints, and ends when the test says so."""
    print("working")
    printed.set()
    ends.wait(TIMEOUT)


def logs(handler: logging.Handler | None) -> None:
    """Logs a warning to a logger that has only ``handler``."""
    logger = logging.getLogger("tests.app")
    logger.propagate = False
    if handler is not None:
        logger.addHandler(handler)
    try:
        logger.warning("late")
    finally:
        logger.propagate = True
        if handler is not None:
            logger.removeHandler(handler)


class TestBody:
    """What the body of a task prints and logs, as ``serve`` runs it."""

    def test_print(self, terminal: Terminal) -> None:
        """What is printed is kept, and shown once."""
        assert terminal.run(lambda: print("a")) == ("a\n", "a\n")

    def test_both_streams(self, terminal: Terminal) -> None:
        """Stdout and stderr are kept in the order in which they were written."""

        def body() -> None:
            print("out")
            print("err", file=sys.stderr)
            print("out")

        assert terminal.run(body) == ("out\nerr\nout\n",) * 2

    def test_bytes(self, terminal: Terminal) -> None:
        """Bytes that are written to the buffer of a stream are kept."""
        assert terminal.run(lambda: sys.stdout.buffer.write(b"a\n")) == ("a\n", "a\n")

    def test_without_line_break(self, terminal: Terminal) -> None:
        """A line that does not end is kept."""
        output, _ = terminal.run(lambda: print("a", end=""))
        assert output == "a"

    def test_async(self, terminal: Terminal) -> None:
        """What the tasks and the threads of an async body print is kept."""

        async def body() -> None:
            async def inner() -> None:
                await asyncio.sleep(0)
                print("task")

            print("begin")
            await asyncio.gather(inner())
            await asyncio.to_thread(print, "thread")

        assert terminal.run(body) == ("begin\ntask\nthread\n",) * 2

    def test_thread(self, terminal: Terminal) -> None:
        """What a thread prints that the body has started belongs to no run, and is shown."""

        def body() -> None:
            thread = threading.Thread(target=print, args=("from a thread",))
            thread.start()
            thread.join()

        assert terminal.run(body) == ("", "from a thread\n")

    def test_replaced_stream(self, terminal: Terminal) -> None:
        """What a body prints into a stream of its own is neither kept nor shown."""

        def body() -> None:
            with redirect_stdout(io.StringIO()):
                print("hidden")
            print("shown")

        assert terminal.run(body) == ("shown\n", "shown\n")

    def test_siblings(self, terminal: Terminal) -> None:
        """Runs that print at the same time keep their own."""
        with terminal.serving(), weave() as w:
            w.do(["a", "b"], environment="workers")(meets)
        assert w.result.final == ["a", "b"]
        assert {run.output for run in terminal.worker.runs} == {"a a a ", "b b b "}

    def test_much(self, terminal: Terminal) -> None:
        """Of 10 MB the beginning and the end are kept."""
        output, _ = terminal.run(lambda: print("begin", "x" * 10**7, "end"))
        assert (output[:6], output[-5:]) == ("begin ", " end\n")
        assert len(output) < LIMIT + NOTE

    def test_handler_of_the_stream(self, terminal: Terminal) -> None:
        """A record that a handler writes to the terminal is kept once, and shown once."""
        assert terminal.run(lambda: logs(logging.StreamHandler(sys.stderr))) == ("late\n",) * 2

    def test_no_handler(self, terminal: Terminal) -> None:
        """A warning without any handler is kept once, and shown by ``logging.lastResort``."""
        assert terminal.run(lambda: logs(None)) == ("late\n", "late\n")

    def test_handler_of_a_file(self, terminal: Terminal, tmp_path: Path) -> None:
        """A record that goes to a file is kept, and not shown."""
        file = str(tmp_path / "log")

        def body() -> None:
            handler = logging.FileHandler(file)
            try:
                logs(handler)
            finally:
                handler.close()

        assert terminal.run(body) == ("WARNING:tests.app:late\n", "")

    def test_failing_body(self, terminal: Terminal) -> None:
        """What a body prints before it fails is kept."""

        def body() -> None:
            print("before")
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            terminal.run(body)
        assert terminal.worker.runs.last.output == "before\n"

    def test_while_it_runs(self, terminal: Terminal, pool: ThreadPoolExecutor) -> None:
        """What was printed can be read before the body ends."""
        with terminal.serving():
            result = pool.submit(weave_one, waits)
            try:
                assert printed.wait(TIMEOUT)
                run = terminal.worker.runs.last
                assert (run.state, run.output) == ("running", "working\n")
            finally:
                ends.set()
            result.result()

    def test_again(self, terminal: Terminal) -> None:
        """What a second execution of the body prints is added."""
        with terminal.worker.inject("duplicate-run"):
            output, _ = terminal.run(lambda: print("a"))
        assert output == "a\na\n"

    def test_late_output_counts(self, terminal: Terminal) -> None:
        """What is written after the run was answered takes bytes of the journal, too."""
        with terminal.worker.inject("duplicate-run"):
            terminal.run(lambda: print("x" * 20_000))
        assert terminal.worker.journal.size > 40_000

    def test_secret(self, terminal: Terminal) -> None:
        """The worker's secret is redacted in what is kept."""
        secret = terminal.worker.secret
        output, _ = terminal.run(lambda: print(secret))
        assert output == "[redacted]\n"

    def test_not_asked_for(self, worker: HttpWorker) -> None:
        """Of a worker that is not inspected nothing is kept."""
        assert Terminal(worker, io.StringIO()).run(lambda: print("a")) == ("", "a\n")

    def test_streams_of_a_test(
        self, make_worker: MakeWorker, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without the streams of a command, the process's own are left alone."""
        worker = make_worker(inspected=True)
        with worker.configured():
            weave_one(lambda: print("a"))
        assert (worker.runs.last.output, capsys.readouterr().out) == ("", "a\n")


def test_left_out_before(capture: Capture) -> None:
    """What was dropped before it came here is counted."""
    capture.write(b"a" * KEPT)
    capture.leave_out(10)
    capture.write(b"z" * KEPT)
    assert f"[… {2 * KEPT - LIMIT + 10:,} characters left out …]" in capture.text()
