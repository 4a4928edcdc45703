"""Values that do something when they are unpickled, which is how a case sees where and whether the
executor does that. Importable, because the executor under check lives in this process."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

_sprung: set[int] = set()
_numbers = itertools.count(1)
_lock = threading.Lock()


def _spring(number: int) -> str:
    with _lock:
        _sprung.add(number)
    return f"trap {number}"


class Trap:
    """Knows whether its pickle was loaded."""

    def __init__(self) -> None:
        self._number = next(_numbers)

    def __reduce__(self) -> tuple[Any, ...]:
        return _spring, (self._number,)

    @property
    def sprung(self) -> bool:
        """Whether it was."""
        with _lock:
            return self._number in _sprung


def _load_slowly(seconds: float) -> str:
    time.sleep(seconds)  # in whatever thread unpickles: that is the point
    return f"loaded in {seconds} s"


class SlowToLoad:
    """Its pickle takes ``seconds`` to load, without using the processor."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_slowly, (self.seconds,)
