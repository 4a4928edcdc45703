"""A ``serve`` in a child process, and clients of it in others."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import textwrap
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import preloaded
from tests.cli.commands import PATIENCE, WEAVE
from tests.runners.processes import is_alive


@dataclass
class Served:
    """A running ``serve`` and the text that it printed before it accepted connections."""

    process: subprocess.Popen[str] | preloaded.Process
    printed: str

    @property
    def url(self) -> str:
        found = re.search(r"worker service at (\S+)", self.printed)
        assert found is not None
        return found.group(1)

    @property
    def port(self) -> int:
        port = urllib.parse.urlsplit(self.url).port
        assert port is not None
        return port

    @property
    def snippet(self) -> str:
        """The printed lines for the application."""
        block = self.printed.partition("in your application:")[2].partition("in the shell")[0]
        return textwrap.dedent(block)

    @property
    def exports(self) -> str:
        """The printed lines for the shell."""
        lines = self.printed.splitlines()
        return "\n".join(line for line in lines if line.strip().startswith("export "))

    def weave(self, body: str = "return 42") -> subprocess.CompletedProcess[str]:
        """Run a weave in a new process that follows the printed instructions and nothing else;
        ``body`` is what its task does."""
        application = WEAVE.format(config=self.snippet).replace("return 42", body)
        Path("app.py").write_text(application)
        return preloaded.run(["app.py"], PATIENCE, self.environ())

    def environ(self) -> dict[str, str]:
        """The environment of a shell that executed the printed lines."""
        script = f"{self.exports}\nexec env -0"
        done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, check=True)
        pairs = (each.partition("=")[::2] for each in os.fsdecode(done.stdout).split("\0") if each)
        return dict(pairs)

    def read_until(self, text: str) -> str:
        """Read the log up to the line with ``text``, and return what was read."""
        return read_until(self.process, text)

    def interrupt(self) -> tuple[int, str, str]:
        """Send SIGINT and wait until the process ends; return exit status, remaining stdout and
        stderr."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> tuple[int, str, str]:
        """Wait until the process ends; return exit status, remaining stdout and stderr."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        watch = threading.Timer(PATIENCE, self.process.kill)
        watch.start()
        try:
            # Not communicate(), which does not see what these streams have read ahead.
            out, err = self.process.stdout.read(), self.process.stderr.read()
            return self.process.wait(PATIENCE), out, err
        finally:
            watch.cancel()


STOP_THAT_HANGS = """
import sys, threading
from wove_http_dev import HttpWorker
from wove_http_dev.cli.main import main
HttpWorker.stop = lambda worker: threading.Event().wait()
sys.exit(main())
"""
"""The program of a ``serve`` whose worker never stops."""


def read_until(process: subprocess.Popen[str] | preloaded.Process, text: str) -> str:
    """Read stdout up to the line with ``text``, or its end, and return what was read."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            break
    return "".join(lines)


@contextlib.contextmanager
def serving(
    *arguments: str, command: Sequence[str] = (), until: str = "no_proxy"
) -> Iterator[Served]:
    """Run ``serve`` until the block ends, which begins when it has printed the line with
    ``until``; in a new interpreter if there is a ``command`` for it. Its clients are as patient as
    the tests: a busy machine may take longer than the defaults for one request."""
    patience = ["--timeout", f"{PATIENCE:g}", "--delivery-timeout", f"{PATIENCE:g}"]
    words = ["serve", "--port", "0", *patience, *arguments]
    process: subprocess.Popen[str] | preloaded.Process
    if command:
        process = subprocess.Popen(
            [*command, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    else:
        process = preloaded.Process(["-m", "wove_http_dev", *words])
    with process:
        try:
            printed = read_until(process, until)
            if until not in printed:
                assert process.stderr is not None
                raise AssertionError(f"serve ended with {printed!r}, {process.stderr.read()!r}")
            yield Served(process, printed)
        finally:
            process.kill()


def wait_until_gone(processes: Sequence[int]) -> list[int]:
    """Wait until none of ``processes`` is alive; return those that still are."""
    ends = time.monotonic() + PATIENCE
    while (left := [each for each in processes if is_alive(each)]) and time.monotonic() < ends:
        time.sleep(0.02)
    return left


BY_NAME = """
import sys
sys.path.insert(0, {application!r})
import wove
from wove import weave
import jobs
{config}
with weave() as w:
    w.do({items}environment="workers")(jobs.{task})
print(w.result.{task})
"""
"""A client that weaves the ``task`` of ``jobs``, which it imports from ``application``."""


def write_jobs(directory: Path, result: str, more: str = "") -> None:
    """Write ``jobs.py``, whose ``answer`` returns ``result``, and which has ``more``, into
    ``directory``."""
    directory.mkdir(exist_ok=True)
    (directory / "jobs.py").write_text(f"def answer():\n    return {result!r}\n{more}")


def by_name(
    served: Served, application: Path, task: str = "answer", items: Sequence[str] = ()
) -> str:
    """The output of a client that weaves the ``task`` of ``jobs``, mapped over ``items`` if there
    are any, and imports ``jobs`` from ``application``."""
    Path("by_name.py").write_text(
        BY_NAME.format(
            application=str(application),
            config=served.snippet,
            task=task,
            items=f"{[*items]}, " if items else "",
        )
    )
    done = preloaded.run(["by_name.py"], PATIENCE, served.environ())
    return done.stdout + done.stderr


CLIENT = """
import wove
from wove import weave
import jobs
{config}
with weave() as w:
    w.do(environment="workers")(jobs.{task})
print(w.result.{task})
"""
"""A client that weaves the ``task`` of ``jobs``."""


@contextlib.contextmanager
def client(served: Served, task: str) -> Iterator[preloaded.Process]:
    """A process that weaves the ``task`` of ``jobs``, until the block ends."""
    Path("client.py").write_text(CLIENT.format(config=served.snippet, task=task))
    with preloaded.Process(["client.py"], served.environ()) as process:
        try:
            yield process
        finally:
            process.kill()
