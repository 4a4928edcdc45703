"""Starting the daemon threads of this package's servers, and waiting for their end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from wove_http_dev.errors import NoThreadError


def start_thread(target: Callable[..., None], *args: Any, name: str) -> threading.Thread:
    """Start a daemon thread that calls ``target(*args)``, and return the thread.

    Raises :class:`NoThreadError` if the system has no thread to give; nothing of the new one is
    left then.
    """
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as exc:  # all that start() raises for a new thread
        raise NoThreadError(f"a thread could not be started: {exc}") from exc
    return thread


def join_threads(threads: Iterable[threading.Thread], timeout: float) -> None:
    """Wait until ``threads`` have ended, at most ``timeout`` seconds for all of them together. The
    calling thread is left out, because it cannot wait for itself."""
    deadline = time.monotonic() + timeout
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))


class ThreadGroup:
    """Threads that were started and have not ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()

    def start(self, target: Callable[..., None], *args: Any, name: str) -> threading.Thread:
        """Like :func:`start_thread`; the thread belongs to the group until it ends."""

        def run() -> None:
            try:
                target(*args)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        with self._lock:  # a thread cannot end before it was added
            thread = start_thread(run, name=name)
            self._threads.add(thread)
        return thread

    def join(self, timeout: float) -> None:
        """Wait until the threads of this moment have ended, at most ``timeout`` seconds."""
        with self._lock:
            threads = list(self._threads)
        join_threads(threads, timeout)
