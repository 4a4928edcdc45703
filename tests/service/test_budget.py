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


# Shares that wait for no room


def added(*times: float, served: tuple[int, ...] = ()) -> Stalling:
    """The owners 0, 1, … have got 60 bytes each at ``times``, when nobody was to be ended yet."""
    owners = Stalling(*served)
    for owner, owners.now in enumerate(times):
        owners.budget.add(owner, 60)
    return owners


def test_added_share() -> None:
    """A share is added although there is no room for it."""
    assert added(0.0, 1.0).budget.used == 120


def test_added_share_ends_the_longest_without_progress() -> None:
    """A share for which there is no room ends the owner whose progress was longest ago."""
    assert added(1.0, 0.0, 9.0).ended == [1, 0]


def test_added_share_within_patience() -> None:
    """A share that is added does not end those whose patience is not over."""
    assert added(0.0, 1.9).ended == []


def test_relief_after_patience() -> None:
    """An owner without progress is ended later, when its patience is over."""
    owners = added(0.0, 1.0)
    owners.now = 2.0
    owners.budget.relieve()
    assert owners.ended == [0]


def test_relief_spares_who_progressed() -> None:
    """An owner that has progressed since is not ended."""
    owners = added(0.0, 1.0)
    owners.now = 2.9
    owners.budget.progressed(0)
    owners.now = 3.0
    owners.budget.relieve()
    assert owners.ended == [1]


def test_relief_within_the_size() -> None:
    """Nobody is ended while there is room for all."""
    owners = added(0.0)
    owners.budget.add(1, 40)
    owners.now = 9.0
    owners.budget.relieve()
    assert owners.ended == []


def test_relief_spares_the_only_owner() -> None:
    """An owner that is the only one is not ended, whatever it has."""
    owners = added()
    owners.budget.add(0, 1000)
    owners.now = 9.0
    owners.budget.relieve()
    assert owners.ended == []


def test_relief_spares_the_last_owner() -> None:
    """Of several owners that are too large, one is left, also while the others are being ended."""
    ended: list[object] = []

    def end(owner: object) -> bool:
        ended.append(owner)
        return True

    budget = ByteBudget(100, patience=0.0, end=end, clock=lambda: 0.0)
    for owner in range(3):
        budget.add(owner, 1000)
    for _ in range(2):
        budget.relieve()
    assert ended == [0, 1]


def test_relief_passes_over_who_is_not_to_end() -> None:
    """An owner that is not to be ended is passed over."""
    assert added(0.0, 1.0, 9.0, served=(0,)).ended == [1]


def test_progress_of_nobody() -> None:
    """An owner without a share may progress."""
    owners = added(0.0)
    owners.budget.progressed(7)
    assert owners.budget.used == 60
