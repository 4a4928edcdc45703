"""``Limits``: how much a connection may send, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits of a connection. Times are seconds, sizes bytes."""

    handshake: float = 10.0
    """For each step of a TLS handshake that waits for the client."""
    head: float = 10.0
    """For a request's head, from its first byte; also for the first byte of a connection."""
    body: float = 60.0
    """For a request's body."""
    body_grace: float = 10.0
    """After this time a body must have arrived at ``body_rate`` on average."""
    body_rate: float = 4096.0
    """Bytes per second. A slow network or machine is far faster; a client that keeps a connection
    busy with single bytes is not."""
    refused: float = 1.0
    """For the beginning of a body whose request is already refused because of its head."""
    idle: float = 5.0
    """Between two requests on one connection."""
    write: float = 30.0
    """For each 64 KiB of a reply, until the client has made room for them."""
    drain: float = 5.0
    """For reading, after a reply, what the client still sends."""
    max_head: int = 65536
    """Of the request line and the headers together."""
    max_body: int = 64 * 2**20
    """Of a request's body; the option ``max_body`` of a worker sets it."""
    bodies: int = 256 * 2**20
    """For the bodies of all requests together that have not been authenticated. A body is counted
    once more than 64 KiB of it have arrived, as what has arrived and up to 1 MiB more."""
    bodies_wait: float = 5.0
    """For a body to wait until there is room for it among ``bodies``."""
    replies: int = 512 * 2**20
    """For the replies of more than 64 KiB that are being written, together. When they are larger,
    connections whose clients do not read are ended."""
    unread: float = 5.0
    """Seconds after which such a client has not taken the next 64 KiB. A program that is busy with
    the replies that it has read may take long."""
    connections: int = 1024
    """Connections that may be open at once. From seven eighths of it on, old ones are ended: that
    is fewer than the 1024 descriptors that a process has by default on Linux."""
    patience: float = 0.5
    """Seconds that a connection gets to authenticate when ``connections`` are nearly reached, and
    that a body gets for each further 1 MiB while others wait for room among ``bodies``."""
