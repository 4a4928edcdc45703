"""Which connection ends to make room for a new one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from wove_http_dev.service.admission import near_limit, to_evict

NOW = 100.0
PATIENCE = 2.0


@dataclass
class Someone:
    """A connection, by what decides about it."""

    name: str
    authenticated: bool = False
    awaits: str = "request"
    awaits_since: float = 50.0
    unproven_since: float = 50.0
    evicted: bool = False
    pace: float = 0.0

    def body_pace(self) -> float:
        return self.pace


def chosen(*connections: Someone) -> str | None:
    """The name of the connection that is to end."""
    found = to_evict(connections, NOW, PATIENCE)
    return found.name if found is not None else None


def test_longest_without_authentication() -> None:
    """The first one that has not authenticated ends."""
    assert chosen(Someone("first"), Someone("second")) == "first"


def test_large_body_that_arrives() -> None:
    """One whose large body arrives is passed over."""
    assert chosen(Someone("first", unproven_since=NOW), Someone("second")) == "second"


def test_body_that_keeps_the_least_rate_stays() -> None:
    """One whose body arrives at the least rate ends after silent ones, however old it is."""
    upload = Someone("upload", pace=100_000.0)
    assert chosen(upload, Someone("second"), Someone("third")) == "second"


def test_body_stays_while_silent_ones_are_new() -> None:
    """One whose body arrives stays although none of the silent ones can end yet."""
    new = [Someone("new", unproven_since=NOW) for _ in range(2)]
    assert chosen(Someone("upload", pace=100_000.0), *new) is None


def test_slowest_of_many_bodies_ends() -> None:
    """Where half of them are arriving bodies, the slowest of these ends."""
    bodies = [Someone(str(pace), pace=pace) for pace in (100_000.0, 5_000.0)]
    new = [Someone("new", unproven_since=NOW) for _ in range(2)]
    assert chosen(*bodies, *new) == "5000.0"


def test_no_connection() -> None:
    """Where there is no connection, none ends."""
    assert chosen() is None


def test_authenticated_ones_stay() -> None:
    """One that has never authenticated ends before one that has, however new it is."""
    old = Someone("old", authenticated=True, awaits_since=0.0)
    assert chosen(old, Someone("new")) == "new"


@pytest.mark.parametrize(
    "other",
    [Someone("evicted", evicted=True), Someone("served", awaits="")],
    ids=["evicted", "served"],
)
def test_ones_that_stay(other: Someone) -> None:
    """One that was told to end, and one whose request is being served, are passed over."""
    assert (chosen(other, Someone("next")), chosen(other)) == ("next", None)


def test_longest_idle() -> None:
    """Among authenticated ones the one that has been idle the longest ends."""
    new, old = (Someone(str(since), True, awaits_since=since) for since in (90.0, 10.0))
    assert chosen(new, old) == "10.0"


@pytest.mark.parametrize("seconds", [1.5, 2.5])
@pytest.mark.parametrize(
    ("authenticated", "awaits"), [(False, "request"), (True, "request"), (True, "reader")]
)
def test_patience(seconds: float, authenticated: bool, awaits: str) -> None:
    """No connection ends before patience is over."""
    since = NOW - seconds
    each = Someone("one", authenticated, awaits, awaits_since=since, unproven_since=since)
    assert (chosen(each) == "one") == (seconds > PATIENCE)


def test_unread_reply() -> None:
    """One that leaves its reply unread ends if there is no other."""
    assert chosen(Someone("reader", True, "reader")) == "reader"


def test_idle_before_unread() -> None:
    """An idle one ends before one that has left its reply unread."""
    assert chosen(Someone("reader", True, "reader", 10.0), Someone("idle", True)) == "idle"


@pytest.mark.parametrize(("limit", "near"), [(512, 448), (8, 7), (3, 3), (1, 1)])
def test_near_limit(limit: int, near: int) -> None:
    """Seven eighths of the limit are near it."""
    assert near_limit(limit) == near
