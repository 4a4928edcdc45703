"""A block that several threads are in at the same time, and that is entered and left once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any


class Shared:
    """Enters a context manager, made by ``make``, when the first thread enters the block, and
    leaves it when the last one has left. So what the whole process has, such as a hook, is changed
    and restored once, in whichever order the threads end."""

    def __init__(self, make: Callable[[], AbstractContextManager[Any]]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._inside = 0
        self._stack = ExitStack()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be inside until the block ends."""
        with self._lock:
            if not self._inside:
                self._stack.enter_context(self._make())
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._stack.close()
