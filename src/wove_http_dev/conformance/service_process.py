"""Starts a worker service for a check (option ``--cmd``), waits until it accepts connections, and
stops it at the end.

The process gets a process group of its own, so that its children are stopped too. Its output goes
to a temporary file. The end of that is shown if the service does not start, and what it printed
during a case is shown if the case fails.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import IO

from wove_http_dev.platforms import require_posix

POLL = 0.02
"""Seconds between two attempts to connect."""
STOP_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
SHOWN = 2000
"""How many bytes of the command's output are shown, the last ones."""


class StartError(Exception):
    """The command could not be started, or its port is already in use; the message says which."""


class NeverAnsweredError(Exception):
    """The command was started but did not accept a connection; its output is at the end of the
    message."""


class ServiceCommand:
    """A context manager that starts a command and, at the end of the block, stops it.

    ``words`` is split like a shell command line, but no shell is used. The block begins when the
    command accepts connections at ``host`` and ``port``. Raises :class:`StartError`, or
    :class:`NeverAnsweredError` if the command ends before that or takes longer than ``patience``
    seconds.
    """

    def __init__(self, words: str, host: str, port: int, *, patience: float = 30.0) -> None:
        try:
            self._words = shlex.split(words)
        except ValueError as exc:
            raise StartError(f"--cmd: {exc}") from exc
        if not self._words:
            raise StartError("--cmd is empty")
        self._where = (host, port)
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None
        self._started = 0
        """Where in the output the command was last started."""

    def __enter__(self) -> ServiceCommand:
        require_posix("--cmd")
        if self._accepts():
            host, port = self._where
            raise StartError(
                f"something else already accepts connections at {host}:{port}; end it, or leave out"
                " --cmd to check it"
            )
        self._output = tempfile.TemporaryFile()
        try:
            self._start()
        except BaseException:
            self._output.close()
            raise
        return self

    def restart(self) -> str | None:
        """Start the command again if its process has ended; return why not, or ``None``. Blocks
        until the service accepts connections."""
        assert self._process is not None
        assert self._output is not None
        try:
            self._process.wait(STOP_GRACE)
        except subprocess.TimeoutExpired:
            return "its process has not ended, so it is not started again"
        self._stop()
        os.write(self._output.fileno(), b"\n")  # ends a line that the process did not end
        try:
            self._start()
        except (StartError, NeverAnsweredError) as exc:
            return f"it could not be started again: {exc}"
        return None

    def recorder(self) -> Callable[[], str]:
        """Return a function that gives the last whole lines of what the command has printed, to
        stdout and to stderr, since this call. A line without an end is given only if the command
        has ended."""
        size = self._size()
        # A line that is not printed whole yet belongs to what comes.
        line = self._bytes(max(0, size - SHOWN), size).rpartition(b"\n")[2]
        return lambda: self._printed(since=size - len(line))

    def _size(self) -> int:
        assert self._output is not None
        return os.fstat(self._output.fileno()).st_size

    def _bytes(self, begin: int, end: int) -> bytes:
        assert self._output is not None
        # A seek would move the place at which the command writes.
        return os.pread(self._output.fileno(), end - begin, begin)

    def _printed(self, since: int) -> str:
        running = self._process is not None and self._process.poll() is None
        size = self._size()
        begin = max(since, size - SHOWN)
        data = self._bytes(begin, size)
        # Half of a line could be half of a secret, which is hidden only as a whole.
        if running:
            data = data[: data.rfind(b"\n") + 1]
        if begin > since:
            data = "…".encode() + b"\n" + data.partition(b"\n")[2]
        return data.decode("utf-8", "replace").strip()

    def _start(self) -> None:
        self._started = self._size()
        try:
            self._process = subprocess.Popen(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as exc:
            raise StartError(
                f"--cmd: cannot run {self._words[0]!r}: {exc.strerror or exc}"
            ) from exc
        try:
            self._wait()
        except BaseException:
            self._stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        if self._output is not None:
            self._output.close()

    def _accepts(self) -> bool:
        try:
            with socket.create_connection(self._where, 1.0):
                return True
        except OSError:
            return False

    def _wait(self) -> None:
        assert self._process is not None
        ends = time.monotonic() + self._patience
        while not self._accepts():
            status = self._process.poll()
            if status is not None:
                raise NeverAnsweredError(
                    f"the command ended with status {status} before it accepted connections"
                    f"{self._output_text()}"
                )
            if time.monotonic() > ends:
                host, port = self._where
                raise NeverAnsweredError(
                    f"the command accepted no connection at {host}:{port} within"
                    f" {self._patience:g} s{self._output_text()}"
                )
            time.sleep(POLL)

    def _output_text(self) -> str:
        text = self._printed(since=self._started)
        return f"; it printed:\n{text}" if text else "; it printed nothing"

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        # Signals are sent even if the process has ended, because its children may still run.
        for number, patience in ((signal.SIGTERM, STOP_GRACE), (signal.SIGKILL, STOP_GRACE)):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
