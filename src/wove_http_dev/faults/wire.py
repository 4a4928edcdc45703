"""Faults of the wire: the bytes of a correct response arrive late, damaged or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wove_http_dev.faults.distributions import Duration
from wove_http_dev.faults.fault import Fault, Wire
from wove_http_dev.fields import field

__all__ = [
    "BadChunk",
    "CloseWithoutResponse",
    "GarbageStatusLine",
    "Http10",
    "ResetBeforeResponse",
    "ResetMidBody",
    "SlowBody",
    "StallMidBody",
    "TruncatedBody",
]

_TRANSPORT = "a transport error, kind "


@dataclass(frozen=True)
class _WireFault(Fault):
    stage: ClassVar[str] = "wire"


@dataclass(frozen=True)
class SlowBody(_WireFault):
    """The body arrives slowly, a few bytes at a time."""

    effect: ClassVar[str] = (
        "the result, late: each byte restarts the executor's timeout; delivery_timeout ends it,"
        " but the weave returns only when its HTTP thread does"
    )
    bytes: int = field(16, "bytes to send at a time", "bytes", least=1)
    interval: Duration = field(
        0.05, "seconds to wait after each piece, as long for all pieces of a body", "seconds"
    )
    drip: Duration | None = field(
        None,
        "seconds to wait after each piece, drawn anew for each (none: interval)",
        "seconds",
        each_wait=True,
    )

    def on_wire(self, wire: Wire) -> None:
        wire.send(wire.head)
        for start in range(0, len(wire.body), self.bytes):
            wire.send(wire.body[start : start + self.bytes])
            wire.wait(self.interval if self.drip is None else self.drip)


@dataclass(frozen=True)
class StallMidBody(_WireFault):
    """Half of the body arrives, and the rest later."""

    stalls: ClassVar[bool] = True
    effect: ClassVar[str] = _TRANSPORT + "TimeoutError after the executor's timeout; a hang without"
    seconds: Duration | None = field(
        None, "seconds to wait in the middle of the body (none: until released)", "seconds"
    )

    def on_wire(self, wire: Wire) -> None:
        half = len(wire.body) // 2
        wire.send(wire.head + wire.body[:half])
        wire.wait(self.seconds)
        wire.send(wire.body[half:])


@dataclass(frozen=True)
class TruncatedBody(_WireFault):
    """The connection closes in the middle of the body."""

    effect: ClassVar[str] = _TRANSPORT + "IncompleteRead"

    def on_wire(self, wire: Wire) -> None:
        wire.send(wire.head + wire.body[: len(wire.body) // 2])
        wire.close()


@dataclass(frozen=True)
class BadChunk(_WireFault):
    """The body is chunked, and the size of a chunk is not a number."""

    effect: ClassVar[str] = _TRANSPORT + "IncompleteRead"

    def on_wire(self, wire: Wire) -> None:
        wire.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nZZ\r\n" + wire.body
        )
        wire.close()


@dataclass(frozen=True)
class ResetBeforeResponse(_WireFault):
    """The task runs, and the connection is reset without a response."""

    effect: ClassVar[str] = _TRANSPORT + (
        "ConnectionResetError over http; over https OpenSSL may report an end of file:"
        " RemoteDisconnected, IncompleteRead in the middle"
    )

    def on_wire(self, wire: Wire) -> None:
        wire.reset()


@dataclass(frozen=True)
class ResetMidBody(_WireFault):
    """The connection is reset in the middle of the body."""

    effect: ClassVar[str] = _TRANSPORT + (
        "ConnectionResetError over http; over https OpenSSL may report an end of file:"
        " RemoteDisconnected, IncompleteRead in the middle"
    )

    def on_wire(self, wire: Wire) -> None:
        wire.send(wire.head + wire.body[: len(wire.body) // 2])
        wire.reset()


@dataclass(frozen=True)
class CloseWithoutResponse(_WireFault):
    """The task runs, and the connection is closed without a response."""

    effect: ClassVar[str] = _TRANSPORT + "RemoteDisconnected"

    def on_wire(self, wire: Wire) -> None:
        wire.close()


@dataclass(frozen=True)
class GarbageStatusLine(_WireFault):
    """The first line of the response is not a status line."""

    effect: ClassVar[str] = _TRANSPORT + "BadStatusLine"
    line: str = field("SSH-2.0-OpenSSH_9.6", "text sent in place of the status line")

    def on_wire(self, wire: Wire) -> None:
        wire.send(self.line.encode("latin-1", "replace") + b"\r\n")
        wire.close()


@dataclass(frozen=True)
class Http10(_WireFault):
    """The response is HTTP/1.0."""

    name: ClassVar[str] = "http-1.0"
    effect: ClassVar[str] = "the result"

    def on_wire(self, wire: Wire) -> None:
        wire.send(wire.head.replace(b"HTTP/1.1 ", b"HTTP/1.0 ", 1) + wire.body)
        wire.close()
