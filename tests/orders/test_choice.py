"""Which orders of completion are tried."""

from __future__ import annotations

from itertools import permutations

import pytest

from wove_http_dev.orders.choice import chosen_orders

MANY = 100


def test_all() -> None:
    """Runs that are sent together can complete in every order."""
    assert chosen_orders([0, 0, 0], MANY, MANY, "") == [*permutations(range(3))]


def test_one_run() -> None:
    """One run has one order."""
    assert chosen_orders([0], MANY, MANY, "") == [(0,)]


def test_one_after_the_other() -> None:
    """Runs that are sent when the one before has completed have one order."""
    assert chosen_orders([0, 1, 2], MANY, MANY, "") == [(0, 1, 2)]


def test_needs() -> None:
    """A run comes no earlier than after as many others as had completed when it was sent."""
    assert chosen_orders([0, 0, 1], MANY, MANY, "") == [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0)]


def test_at_once() -> None:
    """A run that waits for a free connection cannot be the next."""
    assert chosen_orders([0, 0, 0], 2, MANY, "") == [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0)]


@pytest.mark.parametrize("limit", [1, 2, 5, 24, 119])
def test_limit(limit: int) -> None:
    """At most ``limit`` orders are chosen, all different."""
    chosen = chosen_orders([0] * 5, MANY, limit, "seed")
    assert len({*chosen}) == len(chosen) == limit


def test_the_first_is_as_sent() -> None:
    """The first order is the one in which the runs are sent."""
    assert chosen_orders([0] * 9, MANY, 5, "seed")[0] == (*range(9),)


def test_the_second_is_reversed() -> None:
    """If not all are tried, the second has the last run first."""
    assert chosen_orders([0] * 9, MANY, 5, "seed")[1] == (*reversed(range(9)),)


def test_they_are_possible() -> None:
    """A drawn order is one of the possible ones, too."""
    needs = [0, 0, 1, 2, 2, 3, 4]
    assert {*chosen_orders(needs, 3, 20, "seed")} <= {*chosen_orders(needs, 3, 10**6, "")}


def test_the_seed() -> None:
    """The same seed gives the same orders."""
    assert chosen_orders([0] * 9, MANY, 9, "a") == chosen_orders([0] * 9, MANY, 9, "a")


def test_another_seed() -> None:
    """Another seed gives others."""
    assert chosen_orders([0] * 9, MANY, 9, "a") != chosen_orders([0] * 9, MANY, 9, "b")


def test_many_runs() -> None:
    """The orders of a thousand runs need not be counted."""
    assert len(chosen_orders([0] * 1000, 6, 3, "seed")) == 3
