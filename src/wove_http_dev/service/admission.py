"""Which connection ends to make room for a new one, when the limit of connections is near."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Admitted(Protocol):
    """A connection that was admitted. Times are seconds of the monotonic clock."""

    unproven_since: float
    """When it was admitted, or the last large part of a body arrived."""
    authenticated: bool
    """Whether a request on it was accepted."""
    evicted: bool
    """Whether it was told to end."""

    awaits: str
    """What it waits for from its client: ``request`` (or a handshake), or ``reader`` for its reply;
    empty while it serves a request."""
    awaits_since: float


_A = TypeVar("_A", bound=Admitted)


def near_limit(limit: int) -> int:
    """Return the number of connections from which on old ones end. They need a moment to do so, in
    which new ones are admitted."""
    return limit - limit // 8


def to_evict(connections: Iterable[_A], now: float, patience: float) -> _A | None:
    """Return the connection to end: the first of ``connections``, which are in the order of their
    arrival, that has not authenticated; if all have, the one that has been idle the longest; else
    the one that has left its reply unread the longest. ``None`` if there is none for which
    ``patience`` seconds are over."""
    idle: list[_A] = []
    unread: list[_A] = []
    for connection in connections:
        waits = connection.awaits
        if connection.evicted or not waits:
            continue
        if not connection.authenticated:
            if now - connection.unproven_since >= patience:
                return connection
        elif now - connection.awaits_since >= patience:
            (idle if waits == "request" else unread).append(connection)
    return min(idle or unread, key=lambda connection: connection.awaits_since, default=None)
