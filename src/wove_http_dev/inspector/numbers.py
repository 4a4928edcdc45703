"""``Numbers``: the ids of injections, holds and stubs in the control API."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from wove_http_dev.errors import NotFoundError

SHOWN = 20
"""Numbers that a message lists."""
_ID = re.compile(r"[0-9]{1,15}")
T = TypeVar("T")


class Numbers(Generic[T]):
    """Numbers objects of one ``kind`` from 1 on, each when it is first seen. No number is used
    twice. Thread-safe."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._count = 0
        self._known: WeakKeyDictionary[T, int] = WeakKeyDictionary()

    def number(self, each: T) -> int:
        """Return the number of ``each``."""
        with self._lock:
            if each not in self._known:
                self._count += 1
                self._known[each] = self._count
            return self._known[each]

    def of(self, objects: Iterable[T]) -> list[tuple[int, T]]:
        """Return ``objects``, each after its number."""
        return [(self.number(each), each) for each in objects]

    def find(self, text: str, objects: Iterable[T]) -> T:
        """Return the one of ``objects`` whose number is ``text``. Raises :class:`NotFoundError`
        with those that there are."""
        numbered_objects = self.of(objects)
        found = numbered(text, numbered_objects)
        if found is None:
            known = [str(number) for number, _ in numbered_objects[-SHOWN:]]
            ids = "the only id is" if len(known) == 1 else "the ids are"
            advice = f"{ids} {', '.join(known)}" if known else "there is none"
            raise NotFoundError(f"no {self._kind} {text!r}; {advice}")
        return found


def numbered(text: str, objects: Iterable[tuple[int, T]]) -> T | None:
    """Return the one of ``objects`` whose number is ``text``; ``None`` if there is none."""
    wanted = int(text) if _ID.fullmatch(text) else None
    return next((each for number, each in objects if number == wanted), None)
