"""Memory that several owners share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

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
