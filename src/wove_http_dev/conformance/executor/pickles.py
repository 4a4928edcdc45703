"""Values that have an effect when they are unpickled; this shows whether the executor unpickles
them, and in which thread. Their classes must be importable, because the executor runs in this
process."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

_loaded: set[int] = set()
_numbers = itertools.count(1)
_lock = threading.Lock()


def _load_canary(number: int) -> str:
    with _lock:
        _loaded.add(number)
    return f"canary {number}"


class PickleCanary:
    """A value whose pickle tells when it is loaded: ``loaded`` is then true."""

    def __init__(self) -> None:
        self._number = next(_numbers)

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_canary, (self._number,)

    @property
    def loaded(self) -> bool:
        """Whether someone has unpickled this value."""
        with _lock:
            return self._number in _loaded


def _load_slowly(seconds: float) -> str:
    time.sleep(seconds)
    return f"loaded in {seconds} s"


class SlowPickle:
    """A value that takes ``seconds`` to unpickle; the thread sleeps meanwhile."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __repr__(self) -> str:
        return f"SlowPickle({self.seconds:g})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_slowly, (self.seconds,)
