"""``OutputWriter``: writes to a terminal, a pipe or a file, in a thread that nobody waits for.

A reader that stops costs lines, which are counted, but does not stop the tasks that print. Each
line of the log begins at the left, and a task's control sequences end before it.
"""

from __future__ import annotations

import io
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TextIO

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
_RESET = b"\x1b\\\x0f\x1b(B\x1b[0m"
"""Ends a title or another control string that was begun (ECMA-48, 8.3.143), a character set of line
drawings (SI; ISO 2022) and colours, hidden text included (ECMA-48, 8.3.117)."""
_CHANGES_TERMINAL = (b"\x1b", b"\x0e", *(chr(code).encode() for code in range(0x80, 0xA0)))
"""Escape, SO, and in UTF-8 the single characters for what an escape begins (ECMA-48, 5.3): CSI, and
the control strings DCS, SOS, OSC, PM and APC, which take all that follows."""


def dropped_text(count: int) -> str:
    """Return the line that says that ``count`` lines were dropped."""
    lines = "1 line was" if count == 1 else f"{count} lines were"
    return f"wove-http-dev: {lines} dropped: not read in time"


class OutputWriter:
    """Writes what :meth:`put` gets to the file of ``stream``, in a thread of its own.

    A source is a tuple for what a task writes, and anything else for the log.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._process = os.getpid()
        self._lock = threading.RLock()  # entered by itself: through the condition takes longer
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[tuple[object, bytes]] = deque()
        self._sizes = [0, 0]
        """The bytes that wait, of the log and of tasks."""
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
            full = self._sizes[isinstance(source, tuple)] >= LIMIT
            if full and not self._ends_last_line(source, data):
                self._dropped += max(1, data.count(b"\n"))
                return
            if not self._waiting:
                self._changed.notify_all()
            self._report_dropped()
            self._append(source, data)

    def _ends_last_line(self, source: object, data: bytes) -> bool:
        """Whether ``data`` is the line break of what came last: ``print()`` writes it by itself."""
        if data != b"\n" or not self._waiting:
            return False
        last_source, last = self._waiting[-1]
        return last_source == source and not last.endswith(b"\n")

    def _append(self, source: object, data: bytes) -> None:
        self._waiting.append((source, data))
        self._sizes[isinstance(source, tuple)] += len(data)

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
                    self._sizes[isinstance(source, tuple)] -= len(data)
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


def _own_file(stream: TextIO) -> io.FileIO | None:
    # Not the stream: if the thread holds its lock when the process ends, the interpreter aborts. A
    # copy of the descriptor, whose number may belong to another file later.
    try:
        return io.FileIO("output", "w", opener=lambda *_: os.dup(stream.fileno()))
    except (OSError, ValueError):  # no file: a stream of a test
        return None
