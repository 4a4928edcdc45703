"""``Limits``: how much a connection may send, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass


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
    bodies: int = 256 * 2**20
    """For the bodies of all requests together that have not been authenticated. Of each body the
    first 64 KiB are not counted."""
    bodies_wait: float = 5.0
    """For room among those."""
    connections: int = 1024
    """Connections that may be open at once. Old ones end from seven eighths of it on: fewer than
    the 1024 descriptors that a process has by default on Linux."""
    patience: float = 0.5
    """Seconds that a connection gets to authenticate when ``connections`` are nearly reached."""
