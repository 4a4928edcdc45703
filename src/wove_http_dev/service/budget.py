"""``ByteBudget``: memory for the bodies of requests that have not been authenticated."""

from __future__ import annotations

import threading
from collections.abc import Callable


class ByteBudget:
    """``size`` bytes that several owners share. Thread-safe.

    The owner that asked first gets what it needs, even beyond ``size``: otherwise bodies that have
    each arrived in part could wait for one another.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._changed = threading.Condition()
        self._shares: dict[object, int] = {}  # in the order in which they asked first

    @property
    def used(self) -> int:
        """The bytes that are in use."""
        with self._changed:
            return sum(self._shares.values())

    def take(
        self,
        owner: object,
        size: int,
        timeout: float,
        given_up: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Set the share of ``owner`` to ``size`` bytes, and return true. Block while the shares of
        the others leave no room for it; return false if they still do after ``timeout`` seconds,
        or when ``given_up()`` returns true."""

        def fits() -> bool:
            first = next(iter(self._shares))
            others = sum(self._shares.values()) - self._shares[owner]
            return first is owner or others + size <= self._size

        with self._changed:
            self._shares.setdefault(owner, 0)
            self._changed.wait_for(lambda: fits() or given_up(), timeout)
            if not fits():
                return False
            self._shares[owner] = size
            return True

    def release(self, owner: object) -> None:
        """Give back the share of ``owner``, if it has one."""
        if owner in self._shares:  # no lock: only the owner's thread adds or removes its share
            with self._changed:
                self._shares.pop(owner, None)
                self._changed.notify_all()

    def wake(self) -> None:
        """Make the threads that wait in :meth:`take` call ``given_up()`` again."""
        with self._changed:
            self._changed.notify_all()
