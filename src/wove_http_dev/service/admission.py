"""Which connection ends to make room for a new one, when the limit of connections is near."""

from __future__ import annotations

from collections.abc import Collection
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

    def body_pace(self) -> float:
        """Return at how many bytes per second the body of its request arrives, on average; 0 if
        none does, or if it is slower than the least rate."""


_A = TypeVar("_A", bound=Admitted)


def near_limit(limit: int) -> int:
    """Return the number of connections at which old ones start to be ended. It is below ``limit``,
    because ending takes a moment, in which new ones are still admitted."""
    return limit - limit // 8


def to_evict(connections: Collection[_A], now: float, patience: float) -> _A | None:
    """Return the connection to end: the oldest one that has not authenticated; if there is none,
    the one that has been idle longest; if there is none either, the one that has left its reply
    unread longest. ``None`` if none of them has been so for ``patience`` seconds.

    A body that arrives at the least rate is spared, so that silent clients cannot end an upload
    over a slow network; but where such bodies have half of the connections, the slowest ends first.

    ``connections`` must be in the order of arrival.
    """
    idle: list[_A] = []
    unread: list[_A] = []
    arriving: list[tuple[float, _A]] = []
    oldest = None
    for connection in connections:
        waits = connection.awaits
        if connection.evicted or not waits:
            continue
        if not connection.authenticated:
            if now - connection.unproven_since < patience:
                continue
            if pace := connection.body_pace():
                arriving.append((pace, connection))
            elif oldest is None:
                oldest = connection
        elif now - connection.awaits_since >= patience:
            (idle if waits == "request" else unread).append(connection)
    if arriving and 2 * len(arriving) >= len(connections):
        return min(arriving, key=lambda each: each[0])[1]
    if oldest is not None:
        return oldest
    return min(idle or unread, key=lambda connection: connection.awaits_since, default=None)
