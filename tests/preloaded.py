"""Child processes in which pytest, Wove and the package are imported already.

The fork server of ``multiprocessing`` forks them, which takes a tenth of the processor time of a
new interpreter. A program finds its arguments, environment, directory and standard streams as in
one, and ends with an exit status; but of the variables for Python itself only ``PYTHONIOENCODING``
and ``PYTHONWARNINGS=error`` have an effect, and functions registered with ``atexit`` are not
called. A test run finds those modules imported that every test with a worker needs.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import IO
from unittest import mock

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.preloads", __name__])


def _start_server() -> None:
    """Start the server, if it does not run, with the import path of this process: before 3.13.1 it
    ignores that (CPython, gh-126631) and also that it then has nothing preloaded.

    It gets no other variable for Python: those of the test that happens to be the first would have
    an effect on all programs.
    """
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    with mock.patch.dict(os.environ, environ, clear=True):
        forkserver.ensure_running()


class Process:
    """A running program: ``-m MODULE`` or a file, and its arguments. Has what tests use of
    ``subprocess.Popen``."""

    def __init__(
        self,
        words: Sequence[str],
        environ: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        _start_server()
        (read_out, out), (read_err, err) = os.pipe(), os.pipe()
        environment = dict(os.environ if environ is None else environ)
        with Connection(out, readable=False) as given_out, Connection(err, readable=False) as given:
            self._process = _SERVER.Process(
                target=_run,
                args=([*words], environment, str(directory or Path.cwd()), given_out, given),
            )
            self._process.start()
        self.stdout: IO[str] | None = os.fdopen(read_out, encoding="utf-8", errors="replace")
        self.stderr: IO[str] | None = os.fdopen(read_err, encoding="utf-8", errors="replace")

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        for stream in (self.stdout, self.stderr):
            assert stream is not None
            stream.close()
        self._process.join()
        self._process.close()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status, or minus the number of the signal that ended it."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        # Its parent, the server, may have reaped it already, and not said so yet.
        with suppress(ProcessLookupError):
            if self.returncode is None:
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends; return the exit status. Raises ``subprocess.TimeoutExpired``."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a preloaded process", timeout or 0.0)
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait until it ends, at most ``timeout`` seconds until it is killed; return what it wrote
        to stdout and stderr."""
        assert self.stdout is not None
        assert self.stderr is not None
        errors: list[str] = []
        reader = threading.Thread(
            target=lambda stream: errors.append(stream.read()), args=[self.stderr]
        )
        watch = threading.Timer(timeout, self.kill)
        for thread in (watch, reader):
            thread.start()
        try:
            out = self.stdout.read()
            reader.join()
            self.wait(timeout)
        finally:
            watch.cancel()
        return out, "".join(errors)


def run(
    words: Sequence[str],
    timeout: float,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program until it ends, or is killed after ``timeout`` seconds."""
    with Process(words, environ, directory) as process:
        out, err = process.communicate(timeout)
        assert process.returncode is not None
        return subprocess.CompletedProcess([*words], process.returncode, out, err)


def _run(
    words: list[str], environ: dict[str, str], directory: str, out: Connection, err: Connection
) -> None:
    """Be the program, in the child."""
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    for number, stream in enumerate((out, err), start=1):
        os.dup2(stream.fileno(), number)
        stream.close()
    encoding = environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(  # type: ignore[misc]
        1, "w", encoding=encoding, closefd=False
    )
    sys.stderr = sys.__stderr__ = os.fdopen(  # type: ignore[misc]
        2, "w", buffering=1, encoding=encoding, errors="backslashreplace", closefd=False
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if environ.get("PYTHONWARNINGS") == "error":
        warnings.simplefilter("error")
    if words[:2] == ["-m", "pytest"]:
        from tests import preloads

        others = {name for name in sys.modules if name.startswith("tests")}
        for name in others | (preloads.imported() - preloads.kept):
            del sys.modules[name]
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, directory)
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
        runpy.run_path(words[0], run_name="__main__")
