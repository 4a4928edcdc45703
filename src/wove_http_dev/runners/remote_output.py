"""What a body prints and logs in another process: taken there (:func:`streams_replaced`), bounded
where it travels with the result (:class:`PrintedOutput`), and shown by the service's process as if
the body had written it there (:func:`show_output`).

What code in C, or a process that the body starts or forks, writes goes to the descriptor.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TextIO

from wove_http_dev.runs.capture import KEPT, LogHook, capturing_context, current_run, log_noted
from wove_http_dev.runs.display import RunDisplay
from wove_http_dev.runs.replaced_stream import ReplacedStream

PIECE = 8192
"""Bytes without a line break that are kept back until their line ends."""
LOG = "log"
"""The name, in place of a stream's, of log records that no handler has written to a stream."""

Write = Callable[[str, bytes], None]
"""Takes ``stdout``, ``stderr`` or :data:`LOG`, and what was written there, in UTF-8."""


class OutputPiece(NamedTuple):
    """What a body has written to one stream, at one time."""

    stream: str
    data: bytes


@dataclass(frozen=True)
class PrintedOutput:
    """What a body has written: all of it, or the beginning and the end. Can be pickled."""

    first: tuple[OutputPiece, ...] = ()
    left_out: int = 0
    """Characters between ``first`` and ``last``."""
    last: tuple[OutputPiece, ...] = ()


class BoundedOutput:
    """Keeps the beginning and the end of what a body writes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a __del__ that prints can run at any allocation
        self._first: list[OutputPiece] = []
        self._last: deque[OutputPiece] = deque()
        self._first_size = self._last_size = 0
        self._left_out = 0

    def write(self, stream: str, data: bytes) -> None:
        """Add ``data``."""
        with self._lock:
            room = KEPT - self._first_size
            if room > 0 and data:
                self._first_size += _append(self._first, stream, data[:room])
                data = data[room:]
            while data:
                piece, data = data[:PIECE], data[PIECE:]
                self._last_size += _append(self._last, stream, piece)
                self._drop_middle()

    def _drop_middle(self) -> None:
        while self._last_size - len(self._last[0].data) >= KEPT:
            dropped = self._last.popleft().data
            self._last_size -= len(dropped)
            self._left_out += len(dropped.decode("utf-8", "replace"))

    @property
    def printed(self) -> PrintedOutput:
        """What was written until now."""
        with self._lock:
            return PrintedOutput(tuple(self._first), self._left_out, tuple(self._last))


def _append(pieces: Any, stream: str, data: bytes) -> int:
    if pieces and pieces[-1].stream == stream and len(pieces[-1].data) + len(data) <= PIECE:
        pieces[-1] = OutputPiece(stream, pieces[-1].data + data)
    else:
        pieces.append(OutputPiece(stream, data))
    return len(data)


class RemoteCapture:
    """The run whose body is running, for the streams and the log of this process. ``write`` gets
    whole lines, and a part of one when the body has ended. In a process that the body has forked
    this takes nothing: that would write amid what this process writes to the connection, and
    another thread's lock stays locked there."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._parts: dict[str, bytes] = {}

    @property
    def forked(self) -> bool:
        """Whether the calling code is in a process that the body has forked."""
        return os.getpid() != self._process

    def write(self, data: bytes) -> None:
        """Take a log record that no handler has written to a stream."""
        if not self.forked:
            self._write(LOG, data)

    def write_to(self, stream: str, data: bytes) -> None:
        """Take what was written to ``stream``. Not to be called if :attr:`forked`."""
        with self._lock:
            data = self._parts.pop(stream, b"") + data
            end = len(data) if len(data) > PIECE else data.rfind(b"\n") + 1
            if data[end:]:
                self._parts[stream] = data[end:]
            if end:
                self._write(stream, data[:end])

    def end(self) -> None:
        """Write the parts of lines."""
        if self.forked:
            return
        with self._lock:
            parts, self._parts = self._parts, {}
            for stream, data in parts.items():
                self._write(stream, data)


class _Stream(ReplacedStream):
    """Gives the body's run what the body writes, and ``original`` everything else."""

    def __init__(self, name: str, original: TextIO | None, any_thread: RemoteCapture | None):
        super().__init__(original)
        self._name = name
        self._any_thread = any_thread

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def isatty(self) -> bool:
        return False

    def reconfigure(self, **_: Any) -> None:
        """Do nothing: the run gets UTF-8 whatever the body asks for."""

    def write_bytes(self, data: bytes) -> None:
        run = current_run()
        capture = run if isinstance(run, RemoteCapture) else self._any_thread
        if capture is not None and not capture.forked:
            log_noted()
            capture.write_to(self._name, data)
        elif self._original is not None:
            self._original.write(data.decode("utf-8", "replace"))

    def flush(self) -> None:
        if self._original is not None:
            self._original.flush()


class _StreamReplacement:
    """Replaces the streams of this process while at least one body runs. There may be several at a
    time: a Dask worker runs them in threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._logs = LogHook()
        self._streams: dict[str, tuple[_Stream, TextIO]] = {}

    def enter(self, any_thread: RemoteCapture | None) -> None:
        with self._lock:
            self._count += 1
            if self._count > 1:
                return
            for name in ("stdout", "stderr"):
                original = getattr(sys, name)
                stream = _Stream(name, original, any_thread)
                self._streams[name] = (stream, original)
                setattr(sys, name, stream)
            self._logs.install()

    def leave(self) -> None:
        with self._lock:
            self._count -= 1
            if self._count:
                return
            self._logs.remove()
            for name, (stream, original) in self._streams.items():
                if getattr(sys, name) is stream:
                    setattr(sys, name, original)
            self._streams.clear()


_replaced = _StreamReplacement()


@contextmanager
def streams_replaced(capture: RemoteCapture, *, only_body: bool) -> Iterator[contextvars.Context]:
    """Give ``capture`` what code writes that runs in the context that this yields, until the block
    ends. With ``only_body``, no other body runs in this process at the same time, so that what its
    threads write is the body's too."""
    _replaced.enter(capture if only_body else None)
    try:
        yield capturing_context(capture)
    finally:
        _replaced.leave()
        capture.end()


def show_output(display: RunDisplay | None, printed: PrintedOutput) -> None:
    """Write ``printed`` as if the body had written it in this thread: to the streams of this
    process and, if it has a ``display``, to its run."""
    show_pieces(display, printed.first)
    if printed.left_out:
        if display is not None:
            display.left_out(printed.left_out)
        note = f"\n[… {printed.left_out:,} characters left out …]\n"
        _write_to("stderr", note.encode())
    show_pieces(display, printed.last)


def show_pieces(display: RunDisplay | None, pieces: Iterable[OutputPiece]) -> None:
    """Write ``pieces`` as :func:`show_output` does."""
    context = contextvars.Context() if display is None else display.context()
    for stream, data in pieces:
        if stream != LOG:
            context.run(_write_to, stream, data)
        elif display is not None:
            display.logged(data)


def _write_to(name: str, data: bytes) -> None:
    stream = getattr(sys, "stdout" if name == "stdout" else "stderr")
    try:
        text = data.decode("utf-8", "replace")
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
    except (AttributeError, LookupError, OSError, ValueError):
        return  # it is closed, or its reader has ended
