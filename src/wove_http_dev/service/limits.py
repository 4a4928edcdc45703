"""``Limits``: how much a connection may send, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Limits:
    """Limits of a connection. Times are seconds, sizes bytes."""

    handshake: float = 10.0
    head: float = 10.0
    """For a request's head, from its first byte."""
    body: float = 60.0
    """For its body."""
    body_grace: float = 10.0
    """After this long a body must have come at ``body_rate`` on average."""
    body_rate: float = 4096.0
    """Bytes per second. A slow network or machine is far faster; a client that keeps a connection
    busy with single bytes is not."""
    refused: float = 1.0
    """For the beginning of a body that is not needed, because the request's head refuses it."""
    idle: float = 5.0
    """Between two requests on one connection."""
    write: float = 30.0
    drain: float = 5.0
    """For reading the rest of what a refused client sends."""
    max_head: int = 65536
    max_body: int = 64 * 2**20
    connections: int = 512
    """Connections that may be open at once."""
    crowded: float = 2.0

    def beside(self, others: int) -> Limits:
        """Return the limits for a new connection while ``others`` connections are open.

        If these are half of the connection limit or more, the time limits shrink to ``crowded``
        seconds, so that silent clients cannot use up the rest.
        """
        if others < self.connections // 2:
            return self
        wait = self.crowded
        return replace(
            self,
            handshake=min(self.handshake, wait),
            head=min(self.head, wait),
            idle=min(self.idle, wait),
        )
