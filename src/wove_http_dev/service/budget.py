"""``ByteBudget``: memory for the bodies of requests that have not been authenticated, and for
replies that their clients have not read."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class _Share:
    owner: Any
    size: int = 0
    since: float = 0.0
    """When it was taken, or taken again."""
    waits: bool = False
    """Whether its owner waits for room."""
    ended: bool = False
    """Whether its owner is being ended to make room."""


class ByteBudget:
    """``size`` bytes that several owners share. Thread-safe.

    The owner that asked first gets what it needs, even beyond ``size``: otherwise bodies that have
    each arrived in part could wait for one another.

    While an owner waits for room, ``end`` is called for others that took their share more than
    ``patience`` seconds ago and have asked for no more since, the longest first: otherwise a few
    clients that stop in the middle of their bodies would keep all of it. ``end(owner)`` makes the
    owner's thread release the share soon, and returns true; or false if that owner is not to be
    ended. It must not block. ``clock`` returns seconds.
    """

    def __init__(
        self,
        size: int,
        *,
        patience: float = math.inf,
        end: Callable[[Any], bool] = lambda owner: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size = size
        self._patience = patience
        self._end = end
        self._clock = clock
        self._changed = threading.Condition()  # reentrant: end() may call wake()
        self._shares: dict[object, _Share] = {}  # in the order in which they asked first

    @property
    def used(self) -> int:
        """The bytes that are in use."""
        with self._changed:
            return self._used()

    def _used(self) -> int:
        return sum(share.size for share in self._shares.values())

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
        with self._changed:
            share = self._shares.setdefault(owner, _Share(owner))
            deadline = self._clock() + timeout
            share.waits = True
            try:
                while (missing := self._missing(share, size)) > 0:
                    now = self._clock()
                    if given_up() or now >= deadline:
                        return False
                    again = min(deadline, self._make_room(missing, now))
                    if self._missing(share, size) > 0:  # end() may have released a share at once
                        self._changed.wait(min(again - now, threading.TIMEOUT_MAX))
            finally:
                share.waits = False
            share.size, share.since = size, self._clock()
            return True

    def add(self, owner: object, size: int) -> None:
        """Set the share of ``owner`` to ``size`` bytes, whether or not there is room for it, and
        :meth:`relieve`. Does not block."""
        with self._changed:
            self._shares[owner] = _Share(owner, size, self._clock())
            self.relieve()

    def progressed(self, owner: object) -> None:
        """Count the ``patience`` with ``owner`` from now on. Does not block."""
        share = self._shares.get(owner)  # no lock: see release()
        if share is not None:
            share.since = self._clock()

    def relieve(self) -> None:
        """If the shares exceed the size, end owners until they would not, as for one that waits in
        :meth:`take`; but not the last one. Does not block."""
        with self._changed:
            self._make_room(self._used() - self._size, self._clock(), spared=1)

    def _missing(self, share: _Share, size: int) -> int:
        """Return how many bytes the others must release before ``share`` can have ``size``."""
        if next(iter(self._shares.values())) is share:
            return 0
        return self._used() - share.size + size - self._size

    def _make_room(self, missing: int, now: float, spared: int = 0) -> float:
        """End owners until they release ``missing`` bytes, but not the last ``spared`` of them.
        Return when the next one can be ended."""
        others = [share for share in self._shares.values() if not share.waits and share.size]
        others.sort(key=lambda share: (not share.ended, share.since))
        for other in others[: len(others) - spared]:
            if missing <= 0:
                break
            if now - other.since < self._patience:
                return other.since + self._patience
            other.ended = other.ended or self._end(other.owner)
            missing -= other.size if other.ended else 0
        return math.inf

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
