"""Signal handlers of the commands that run until a signal ends them."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from wove_http_dev.client.restore import restored_by


@contextmanager
def handled(handler: Callable[[int, object], object], *numbers: int) -> Iterator[None]:
    """Call ``handler`` for these signals until the block ends.

    A signal that was ignored when this process started stays ignored: ``nohup`` ignores SIGHUP, and
    a shell SIGINT for what it runs in the background (POSIX, ``sh``, 2.11), so that the signal does
    not end it.
    """
    previous: dict[int, Any] = {}

    def restore() -> None:
        for number, before in previous.items():
            signal.signal(number, before)

    with restored_by(restore):
        for number in numbers:
            before = signal.getsignal(number)
            if before not in (signal.SIG_IGN, None):  # None: not set by Python
                previous[number] = before
                signal.signal(number, handler)
        yield


class StopSignals:
    """SIGINT, SIGTERM and SIGHUP, as they arrive in the block of :func:`stop_signals`."""

    def __init__(self) -> None:
        self._reader: socket.socket | None = None
        self._before_end: Callable[[], object] = lambda: None
        self._watch: threading.Thread | None = None

    def wait(self) -> int:
        """Block until one of them arrives that was not waited for, and return its number; 0 after
        the end of the block."""
        assert self._reader is not None
        while True:  # other signals that Python handles come here too
            number = int.from_bytes(os.read(self._reader.fileno(), 1), "big")
            if number in (0, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                return number

    def end_at_once(self, before_end: Callable[[], object] = lambda: None) -> None:
        """At a further Ctrl-C from now on, even if it has arrived already, call ``before_end`` and
        end the process, with the exit status of a shell. The end of the block undoes this."""
        self._before_end = before_end
        # A thread, because the main thread may be blocked.
        self._watch = threading.Thread(target=self._end, name="wove-http-dev-signals", daemon=True)
        self._watch.start()

    def _end(self) -> None:
        while number := self.wait():
            if number == signal.SIGINT:
                try:
                    self._before_end()
                finally:
                    os._exit(128 + number)

    def _join(self) -> None:
        if self._watch is not None and self._watch.ident is not None:
            self._watch.join()


@contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """Let SIGINT, SIGTERM and SIGHUP, with which a terminal closes, do nothing but be waited for,
    unless they are ignored, until the block ends."""
    # A handler runs only when the main thread executes Python code again, which is too late if it
    # is blocked. The wake-up descriptor is written at once.
    signals = StopSignals()
    reader, writer = socket.socketpair()  # not a pipe, whose descriptors have no owner
    before: int | None = None

    def restore() -> None:
        if before is not None:
            signal.set_wakeup_fd(before)

    def end() -> None:
        writer.close()  # ends the thread
        signals._join()

    with (
        reader,
        writer,
        restored_by(end),
        handled(lambda *_: None, signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
        restored_by(restore),
    ):
        reader.setblocking(True)  # whatever socket.setdefaulttimeout() is
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno())
        signals._reader = reader
        yield signals
