"""Memory that several owners share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import TIMEOUT
from wove_http_dev.service.budget import ByteBudget


def taken(*sizes: int) -> ByteBudget:
    """A budget of 100 bytes, of which the owners 0, 1, … have taken ``sizes``."""
    budget = ByteBudget(100)
    for owner, size in enumerate(sizes):
        assert budget.take(owner, size, 0.0)
    return budget


def test_share() -> None:
    """What was taken is in use."""
    assert taken(60, 40).used == 100


def test_growing_share() -> None:
    """A share that is taken again is replaced, not added."""
    budget = taken(60)
    assert (budget.take(0, 70, 0.0), budget.used) == (True, 70)


def test_no_room() -> None:
    """There is no room beyond the size, and a refused owner holds nothing."""
    budget = taken(60)
    assert (budget.take(1, 41, 0.0), budget.used) == (False, 60)


def test_first_owner_always_has_room() -> None:
    """The owner that asked first gets more than the size."""
    assert taken(60, 40).take(0, 200, 0.0)


def test_next_owner_becomes_the_first() -> None:
    """The owner that asked next is the first one when the first has gone."""
    budget = taken(60, 40)
    budget.release(0)
    assert budget.take(1, 200, 0.0)


def test_release() -> None:
    """A share that is given back is free for others."""
    budget = taken(60, 40)
    budget.release(0)
    assert (budget.used, budget.take(2, 60, 0.0)) == (40, True)


def test_release_of_nothing() -> None:
    """An owner without a share can give it back."""
    budget = taken(60)
    budget.release(1)
    assert budget.used == 60


def test_waiting_for_room(pool: ThreadPoolExecutor) -> None:
    """An owner that waits gets its share when another gives its own back."""
    budget = taken(60, 40)
    waiting = pool.submit(budget.take, 2, 10, TIMEOUT)
    budget.release(1)
    assert waiting.result(TIMEOUT)


def test_giving_up(pool: ThreadPoolExecutor) -> None:
    """An owner that is woken and gives up waits no longer."""
    budget = taken(60, 40)
    given_up = [False]
    waiting = pool.submit(budget.take, 2, 10, 10 * TIMEOUT, lambda: given_up[0])
    given_up[0] = True
    budget.wake()
    assert not waiting.result(TIMEOUT)


class Stalling:
    """A budget of 100 bytes whose owners give their shares back when they are ended, except those
    in ``served``. The clock is the test's; patience is 2 seconds."""

    def __init__(self, *served: int) -> None:
        self.now = 0.0
        self.ended: list[int] = []
        self.served = served
        self.budget = ByteBudget(100, patience=2.0, end=self._end, clock=lambda: self.now)

    def _end(self, owner: int) -> bool:
        if owner in self.served:
            return False
        self.ended.append(owner)
        self.budget.release(owner)
        return True

    def take(self, owner: int, size: int, now: float) -> bool:
        """Take ``size`` bytes for ``owner`` at the time ``now``."""
        self.now = now
        return self.budget.take(owner, size, TIMEOUT)


def test_longest_without_progress_ends() -> None:
    """An owner that waits ends the one that has not grown for the longest time."""
    owners = Stalling()
    taken = [owners.take(0, 50, 0.0), owners.take(1, 50, 1.0), owners.take(2, 10, 9.0)]
    assert (taken, owners.ended) == ([True] * 3, [0])


def test_owner_that_grows_stays() -> None:
    """An owner that took more in the meantime ends after one that did not."""
    owners = Stalling()
    owners.take(0, 40, 0.0)
    owners.take(1, 50, 1.0)
    owners.take(0, 50, 2.0)
    assert (owners.take(2, 10, 9.0), owners.ended) == (True, [1])


@pytest.mark.parametrize(("size", "ended"), [(50, [0]), (51, [0, 1])])
def test_no_more_end_than_needed(size: int, ended: list[int]) -> None:
    """No more owners end than the bytes that are needed."""
    owners = Stalling()
    for owner in range(2):
        owners.take(owner, 50, 0.0)
    assert (owners.take(2, size, 9.0), owners.ended) == (True, ended)


def test_owner_that_is_not_to_end() -> None:
    """One that is not to be ended is passed over."""
    owners = Stalling(0)
    for owner in range(2):
        owners.take(owner, 50, 0.0)
    assert (owners.take(2, 10, 9.0), owners.ended) == (True, [1])


def test_patience() -> None:
    """No owner ends before patience is over."""
    owners = Stalling()
    owners.take(0, 100, 0.0)
    owners.now = 1.999  # the one that waits looks again after the last millisecond
    gives_up = iter([False, True]).__next__
    assert (owners.budget.take(1, 10, TIMEOUT, gives_up), owners.ended) == (False, [])


def test_owner_that_waits_stays() -> None:
    """One that itself waits for room is not ended."""
    owners = Stalling()
    for owner in range(2):
        owners.take(owner, 50, 0.0)
    asked: list[bool] = []

    def another_asks() -> bool:
        if not asked:
            asked.append(owners.take(2, 10, 9.0))
        return True

    owners.budget.take(1, 60, TIMEOUT, another_asks)
    assert (asked, owners.ended) == ([True], [0])
