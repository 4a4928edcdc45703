"""Ends a run with a fault that does not end by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType, TracebackType
from typing import Any

INTERVAL = 0.1
"""Seconds between two looks at a run."""


class RunStuckError(BaseException):
    """Raised in the test's thread when nothing else ends a run. It is not an ``Exception``, so that
    the application does not catch it as one of its own errors."""


class Watchdog:
    """A thread that watches a run until the block ends.

    When ``progress()`` has returned the same value for ``quiet()`` seconds, or ``endless()`` is
    true, it takes the first of ``measures``; if the run has not ended ``patience`` seconds later,
    the next, and so on. ``when_still`` is a number of seconds, and what to call at every look after
    nothing has happened for that long.
    """

    def __init__(
        self,
        *,
        quiet: Callable[[], float],
        progress: Callable[[], object],
        endless: Callable[[], bool],
        measures: Sequence[Callable[[], None]],
        patience: float,
        when_still: tuple[float, Callable[[], None]] = (0.0, lambda: None),
        interval: float = INTERVAL,
    ) -> None:
        self._quiet = quiet
        self._progress = progress
        self._endless = endless
        self._measures = list(measures)
        self._patience = patience
        self._still, self._when_still = when_still
        self._interval = interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="wove-http-watchdog", daemon=True)

    def __enter__(self) -> Watchdog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        seen, looked, quiet = self._progress(), time.monotonic(), 0.0
        while not self._ended.wait(self._interval):
            before, looked = looked, time.monotonic()
            # Where this thread itself waits for a processor, so does the run.
            quiet += min(looked - before, 1.5 * self._interval)
            now = self._progress()
            if now != seen:
                seen, quiet = now, 0.0
            if quiet >= self._quiet() or self._endless():
                break
            if quiet >= self._still:
                self._when_still()
        for measure in self._measures:
            if self._ended.is_set():
                return
            measure()
            self._ended.wait(self._patience)


def cancel_weaves() -> None:
    """Cancel the tasks of every weave that runs in this process. Needed for one that waits
    for something other than a worker's reply: releasing the requests does not end it."""
    import wove

    package = os.path.dirname(wove.__file__) + os.sep
    for loop in set(_running_loops()):
        loop.call_soon_threadsafe(_cancel_tasks, loop, package)


def _running_loops() -> Iterator[asyncio.AbstractEventLoop]:
    """Return the event loops that run in any thread. Python has no list of them."""
    for top in sys._current_frames().values():
        frame: FrameType | None = top
        while frame is not None:
            if frame.f_code.co_name == "run_forever":
                loop = frame.f_locals.get("self")
                if isinstance(loop, asyncio.AbstractEventLoop) and loop.is_running():
                    yield loop
            frame = frame.f_back


def _cancel_tasks(loop: asyncio.AbstractEventLoop, package: str) -> None:
    for task in asyncio.all_tasks(loop):
        code = getattr(task.get_coro(), "cr_code", None)
        if code is not None and code.co_filename.startswith(package):
            task.cancel()


class Interruption:
    """A block in which Ctrl-C is distinguished from a ``KeyboardInterrupt`` that a fault caused,
    and in which the main thread can be interrupted. Does nothing in another thread, or where SIGINT
    is ignored."""

    def __init__(self) -> None:
        self.by_user = False
        """Whether Ctrl-C was pressed."""
        self._stuck = False
        self._previous: Any = None

    def __enter__(self) -> Interruption:
        previous = signal.getsignal(signal.SIGINT)
        if callable(previous) and threading.current_thread() is threading.main_thread():
            self._previous = previous
            signal.signal(signal.SIGINT, self._on_sigint)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._previous is not None and signal.getsignal(signal.SIGINT) == self._on_sigint:
            signal.signal(signal.SIGINT, self._previous)

    def _on_sigint(self, number: int, frame: FrameType | None) -> None:
        if self._stuck:
            self._stuck = False
            raise RunStuckError("the test did not end, and its weaves were cancelled")
        self.by_user = True
        self._previous(number, frame)

    def interrupt(self) -> None:
        """Raise :class:`RunStuckError` in the main thread, even while it waits."""
        main = threading.main_thread().ident
        if self._previous is not None and main is not None:
            self._stuck = True
            signal.pthread_kill(main, signal.SIGINT)
