"""Standard output and standard error of a command that serves: whole lines, written by a thread.

Tasks run in this process and print to the same terminal as its log. A terminal that is paused, or a
pipe that is not read, must not stop them, and the lines of two threads must not be mixed.

What cannot be done here: a process that a task starts, and code in C, write to the descriptor
itself, so their lines can be mixed with these, and they wait for the reader. Where that must not
be, :func:`kept_apart` gives them another file.
"""

from __future__ import annotations

import io
import math
import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from wove_http_dev.client.restore import restored_by
from wove_http_dev.runs.capture import LogHook, current_run, note
from wove_http_dev.runs.replaced_stream import ReplacedStream

LIMIT = 1_000_000
"""Once so many bytes of tasks, or of the log, wait for the reader, further ones are dropped, and
counted."""
BATCH = 65_536
"""Bytes of one write, and of lines after which no more are added to it."""
PAUSE = 0.05
"""Seconds from one write to the next, so that the lines of a busy service are written together. A
line that comes after a pause is written at once."""
PATIENCE = 1.0
"""Seconds that the end of the command waits for a reader that reads nothing."""
LONGEST = 65_536
"""Bytes without a line break that are kept back until their line ends."""
_RESET = b"\x1b\\\x0f\x1b(B\x1b[0m"
"""Ends a title or another control string that was begun (ECMA-48, 8.3.143), a character set of line
drawings (SI; ISO 2022) and colours, hidden text included (ECMA-48, 8.3.117)."""
_CHANGES_TERMINAL = (b"\x1b", b"\x0e", b"\xc2\x9b", b"\xc2\x9d", b"\xc2\x90")
"""Escape, SO, and in UTF-8 the single characters for CSI, OSC and DCS."""


def dropped_text(count: int) -> str:
    """Return the line that says that ``count`` lines were dropped."""
    lines = "1 line was" if count == 1 else f"{count} lines were"
    return f"wove-http-dev: {lines} dropped: not read in time"


class _Writer:
    """Writes what :meth:`put` gets to the file of ``stream``, in a thread of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._process = os.getpid()
        self._lock = threading.RLock()  # entered by itself: through the condition takes longer
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[tuple[object, bytes]] = deque()
        self._sizes = [0, 0]
        """The bytes that wait, of tasks and of the log."""
        self._written = 0
        self._dropped = 0
        self._closed = False
        self._unfinished: object = None
        """The source of the line that has begun and not ended; ``None`` after a whole line."""
        self._terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._changed_terminal = False
        """Whether a task has written what may change how the terminal shows the log."""
        self.describe_dropped: Callable[[int], str] = dropped_text
        """Returns the line that says how many lines were dropped."""
        self._thread = threading.Thread(
            target=self._run_and_close, name="wove-http-dev-output", daemon=True
        )
        self._file = _own_file(stream)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, source: object, data: bytes) -> None:
        """Queue ``data``, which ``source`` has written; drop it if too much waits already. Does not
        block."""
        if os.getpid() != self._process:  # the thread is not in a forked child
            self._write_safely(data)
            return
        with self._lock:
            # Whatever the size of this: a long line is not dropped because a short one waits.
            if self._sizes[isinstance(source, LineStream)] >= LIMIT:
                self._dropped += max(1, data.count(b"\n"))
                return
            if not self._waiting:
                self._changed.notify_all()
            self._report_dropped()
            self._append(source, data)

    def _append(self, source: object, data: bytes) -> None:
        self._waiting.append((source, data))
        self._sizes[isinstance(source, LineStream)] += len(data)

    def _report_dropped(self) -> None:
        if self._dropped:
            text = self.describe_dropped(self._dropped)
            self._dropped = 0
            self._append(self, f"{text}\n".encode("ascii"))

    def _run_and_close(self) -> None:
        try:
            self._run()
        finally:
            self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()

    def _run(self) -> None:
        last = -math.inf
        while True:
            with self._lock:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                # A task may set the clock, as freezegun does: also back, and for good.
                early = min(PAUSE, last + PAUSE - time.monotonic())
                if early > 0:
                    self._changed.wait_for(lambda: self._closed, early)
                last = time.monotonic()
                if len(self._waiting) < 2:
                    self._report_dropped()
                if not self._waiting:
                    return
                batch = self._batch()
            self._write_safely(b"".join(self._parts(batch)))
            with self._lock:
                for source, data in batch:
                    if self._waiting:
                        self._waiting.popleft()
                    self._sizes[isinstance(source, LineStream)] -= len(data)
                self._changed.notify_all()

    def _batch(self) -> list[tuple[object, bytes]]:
        """Return what is to be written next."""
        batch, size = [], 0
        for source, data in self._waiting:
            batch.append((source, data))
            size += len(data)
            if size > BATCH:
                break
        return batch

    def _parts(self, batch: list[tuple[object, bytes]]) -> Iterator[bytes]:
        """Yield the bytes of ``batch``, so that each line begins at the left."""
        for source, data in batch:
            of_task = isinstance(source, tuple)
            if self._changed_terminal and not of_task:
                yield _RESET
                self._changed_terminal = False
            if self._unfinished not in (None, source):
                yield b"\n"
            yield data
            self._unfinished = None if data.endswith(b"\n") else source
            if of_task and self._terminal and any(each in data for each in _CHANGES_TERMINAL):
                self._changed_terminal = True

    def _write_safely(self, data: bytes) -> None:
        with suppress(OSError, ValueError):  # the reader has ended, or the disk is full
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._stream.write(data.decode(self._stream.encoding or "utf-8", "replace"))
            self._stream.flush()
            return
        rest = memoryview(data)
        while rest:
            written = self._file.write(rest[:BATCH])
            if written is None:  # another program set O_NONBLOCK on the terminal
                select.select([], [self._file], [])
            rest = rest[written or 0 :]
            if os.getpid() == self._process:  # in a forked child the lock may stay locked
                with self._lock:
                    self._written += written or 0
                    self._changed.notify_all()

    def close(self) -> None:
        """Wait until everything is written, but no longer than :data:`PATIENCE` seconds for each
        :data:`BATCH` of it: then drop the rest."""
        with self._lock:
            self._closed = True
            self._changed.notify_all()
            while self._waiting:
                if not self._goes_on(self._written):
                    self._waiting.clear()
        if self._thread.ident is None:
            self._close_file()
        else:
            self._thread.join(PATIENCE)

    def _goes_on(self, written: int) -> bool:
        """Wait until more than ``written`` bytes, or everything, is written; return whether
        that happened within :data:`PATIENCE` seconds. The caller has the lock."""
        return self._changed.wait_for(
            lambda: self._written > written or not self._waiting, PATIENCE
        )


class LineStream(ReplacedStream):
    """A text stream in place of ``stream`` that gives ``writer`` whole lines, and a part of one
    only when it is flushed, or its thread has ended."""

    def __init__(self, stream: TextIO, writer: _Writer) -> None:
        super().__init__(stream)
        self._stream = stream
        self._writer = writer
        self._line_encoding = self.encoding
        """That of the log, which a task cannot change (``sys.stdout.reconfigure()``)."""
        self._parts: dict[threading.Thread, tuple[object, bytes]] = {}
        """The run, and the part of a line, that each thread has written."""

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
    writers: dict[object, _Writer] = {}
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
                writers[key] = _Writer(stream)
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


def _own_file(stream: TextIO) -> io.FileIO | None:
    # Not the stream: if the thread holds its lock when the process ends, the interpreter aborts. A
    # copy of the descriptor, whose number may belong to another file later.
    try:
        return io.FileIO("output", "w", opener=lambda *_: os.dup(stream.fileno()))
    except (OSError, ValueError):  # no file: a stream of a test
        return None


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
