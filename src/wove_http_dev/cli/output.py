"""Standard output and standard error of a command that serves: whole lines of each thread.

Tasks run in this process and print to the same terminal as its log. A terminal that is paused, or a
pipe that is not read, must not stop them, and the lines of two threads must not be mixed.

What cannot be done here: a process that a task starts, and code in C, write to the descriptor
itself, so their lines can be mixed with these, and they wait for the reader. Where that must not
be, :func:`kept_apart` gives them another file.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from wove_http_dev.cli.output_writer import OutputWriter
from wove_http_dev.client.restore import restored_by
from wove_http_dev.runs.capture import LogHook, current_run, note
from wove_http_dev.runs.replaced_stream import ReplacedStream

LONGEST = 65_536
"""Bytes without a line break that are kept back until their line ends."""


class LineStream(ReplacedStream):
    """A text stream in place of ``stream`` that gives ``writer`` whole lines, and a part of one
    only when it is flushed, or its thread has ended."""

    def __init__(self, stream: TextIO, writer: OutputWriter) -> None:
        super().__init__(stream)
        self._stream = stream
        self._writer = writer
        self._line_encoding = self.encoding
        """That of the log, which a task cannot change (``sys.stdout.reconfigure()``)."""
        self._parts: dict[threading.Thread, tuple[object, bytes]] = {}
        """The run, and the part of a line, that each thread has written."""
        self._process = os.getpid()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the original stream."""
        return self._stream.encoding or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """How the original stream handles characters that it cannot encode."""
        return self._stream.errors

    def isatty(self) -> bool:
        """Whether the output is a terminal."""
        return self._stream.isatty()

    def reconfigure(self, **settings: Any) -> None:
        """Change the original stream, whose encoding is used."""
        if isinstance(self._stream, io.TextIOWrapper):
            self._stream.reconfigure(**settings)

    def write_line(self, text: str) -> None:
        """Write ``text`` and the end of its line, as a line of its own even if this thread has
        written a part of one."""
        if self._parts:
            self.flush()
        self._writer.put(self, f"{text}\n".encode(self._line_encoding, "backslashreplace"))

    def write_bytes(self, data: bytes) -> None:
        """Write the whole lines in ``data`` at once, the rest with the end of its line."""
        note(data, self.encoding, self.flush)
        run = current_run()
        thread = threading.current_thread()
        self._put_ended()
        before, part = self._parts.pop(thread, (run, b""))
        if before is not run:  # the thread has run another task
            self._put(thread, before, part)
            part = b""
        data = part + data
        end = len(data) if len(data) > LONGEST else data.rfind(b"\n") + 1
        if data[end:]:
            self._parts[thread] = run, data[end:]
        self._put(thread, run, data[:end])

    def flush(self) -> None:
        """Write the part of a line that this thread has written, and those of threads that have
        ended."""
        self._put_ended()
        self._put_part(threading.current_thread())

    def end(self) -> None:
        """Write the parts of lines of all threads."""
        for thread in list(self._parts):
            self._put_part(thread)

    def _put_ended(self) -> None:
        if os.getpid() != self._process:  # a forked child, whose parent writes these parts
            self._process = os.getpid()
            self._parts.clear()
        for other in [each for each in list(self._parts) if not each.is_alive()]:
            self._put_part(other)

    def _put_part(self, thread: threading.Thread) -> None:
        self._put(thread, *self._parts.pop(thread, (None, b"")))

    def _put(self, thread: threading.Thread, run: object, data: bytes) -> None:
        if data:
            self._writer.put((self, thread, run), data)

    def describe_dropped(self, describe: Callable[[int], str]) -> None:
        """Use ``describe`` to make the line that says how many lines were dropped. It must return
        ASCII."""
        self._writer.describe_dropped = describe


@contextmanager
def lines_by_thread() -> Iterator[LineStream]:
    """Replace ``sys.stdout`` and ``sys.stderr`` until the block ends; then write what still waits.
    If both write to the same file, one thread writes them in order. Yields the new
    ``sys.stdout``. What the bodies of tasks print and log meanwhile is kept with their runs
    (``runs.capture``)."""
    before = (sys.stdout, sys.stderr)
    logs = LogHook()
    writers: dict[object, OutputWriter] = {}
    streams: list[LineStream] = []

    def restore() -> None:
        logs.remove()
        for stream in streams:
            stream.end()
        if sys.stdout in streams:
            sys.stdout = before[0]
        if sys.stderr in streams:
            sys.stderr = before[1]
        for writer in writers.values():
            writer.close()

    with restored_by(restore):
        for stream in before:
            with suppress(OSError, ValueError):
                stream.flush()
            key = _identity(stream)
            if key not in writers:
                writers[key] = OutputWriter(stream)
                writers[key].start()
            streams.append(LineStream(stream, writers[key]))
        sys.stdout, sys.stderr = streams
        logs.install()
        yield streams[0]


def _identity(stream: TextIO) -> object:
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file: a stream of a test
        return id(stream)
    return status.st_dev, status.st_ino


@contextmanager
def kept_apart(stream: LineStream, other: LineStream) -> Iterator[None]:
    """Let processes that tasks start, and code in C, write to the file of ``other`` what they write
    to the descriptor of ``stream``, until the block ends. ``stream`` itself is still written."""
    try:
        descriptor, wanted = stream.fileno(), other.fileno()
    except (OSError, ValueError):  # no file: a stream of a test
        yield
        return
    kept = os.dup(descriptor)
    try:
        os.dup2(wanted, descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
