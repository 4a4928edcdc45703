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
    """Whether it is being ended to make room."""
    awaits: str
    """What it waits for from its client: ``request`` (or a handshake), or ``reader`` for its reply;
    empty while it serves a request."""
    awaits_since: float
    """When that began."""


_A = TypeVar("_A", bound=Admitted)


def near_limit(limit: int) -> int:
    """Return the number of connections at which old ones start to be ended. It is below ``limit``,
    because ending takes a moment, in which new ones are still admitted."""
    return limit - limit // 8


def to_evict(connections: Iterable[_A], now: float, patience: float) -> _A | None:
    """Return the connection to end: the oldest one that has not authenticated; if there is none,
    the one that has been idle longest; if there is none either, the one that has left its reply
    unread longest. ``None`` if none of them has been so for ``patience`` seconds.

    ``connections`` must be in the order of arrival.
    """
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
