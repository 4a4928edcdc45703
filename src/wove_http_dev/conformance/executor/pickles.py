"""Values that have an effect when they are pickled or unpickled; this shows whether the executor
does so, and in which thread. Their classes must be importable, because the executor runs in this
process."""

from __future__ import annotations

import itertools
import threading
from typing import Any

HELD = 60.0
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


_held: dict[int, HeldPickle] = {}


def _load_held(number: int) -> str:
    held = _held[number]
    held.loading.set()
    held.released.wait(HELD)
    return "released"


class HeldPickle:
    """A value whose pickle blocks the thread that loads it until :attr:`released` is set, at most
    60 s. ``loading`` is set when it begins."""

    def __init__(self) -> None:
        self.loading, self.released = threading.Event(), threading.Event()
        self._number = next(_numbers)
        _held[self._number] = self

    def __repr__(self) -> str:
        return "HeldPickle()"

    def __reduce__(self) -> tuple[Any, ...]:
        return _load_held, (self._number,)


class HeldPickling:
    """A value that blocks the thread that pickles it until :attr:`released` is set, at most 60 s.
    ``pickling`` is set when it begins. It is loaded as the text ``pickled``."""

    def __init__(self) -> None:
        self.pickling, self.released = threading.Event(), threading.Event()

    def __reduce__(self) -> tuple[Any, ...]:
        self.pickling.set()
        self.released.wait(HELD)
        return str, ("pickled",)


def _raise(exc: BaseException) -> None:
    raise exc


class RaisesWhenLoaded:
    """A value whose pickle raises ``exc`` when it is loaded."""

    def __init__(self, exc: BaseException) -> None:
        self._exc = exc

    def __reduce__(self) -> tuple[Any, ...]:
        return _raise, (self._exc,)


class Awkward:
    """A value that raises when it is hashed, compared, shown, counted or tested for truth."""

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    def _refuse(self, *_: Any) -> Any:
        raise TypeError("an awkward value was used")

    __eq__ = __ne__ = __lt__ = _refuse
    __repr__ = __str__ = __bool__ = __len__ = __iter__ = __contains__ = _refuse
