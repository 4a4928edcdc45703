"""The life of one accepted connection: handshake, requests, answers, its end.

It is what a connection fault and a wire fault are handed, and the loop between them. It reads a
request, hands it to a :class:`Handler` and writes the :class:`Answer`; it accepts nothing, and
knows no frame and no run.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol

from wove_http_dev.faults.fault import Wire
from wove_http_dev.faults.injections import NO_PLAN, Plan
from wove_http_dev.protocol.messages import Reply, Request, json_reply
from wove_http_dev.protocol.request_reader import RequestError, RequestReader
from wove_http_dev.tls import CertificateAuthority

CHUNK = 65536
DRAIN_BYTES = 128 * 2**20
RST = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close() sends a reset


@dataclass(frozen=True)
class Limits:
    """Bounds on a connection: seconds and bytes."""

    handshake: float = 10.0
    head: float = 10.0
    body: float = 60.0
    idle: float = 5.0
    write: float = 30.0
    drain: float = 5.0
    max_head: int = 65536
    max_body: int = 64 * 2**20
    connections: int = 512
    crowded: float = 2.0

    def among(self, others: int) -> Limits:
        """The bounds of a connection beside ``others``: where those fill half of the room, nobody
        is waited for longer than ``crowded`` seconds, so that silent clients cannot keep it."""
        if others < self.connections // 2:
            return self
        wait = self.crowded
        return replace(
            self,
            handshake=min(self.handshake, wait),
            head=min(self.head, wait),
            idle=min(self.idle, wait),
        )


class Answer(Protocol):
    """A reply and how it goes out."""

    reply: Reply

    @property
    def ends_early(self) -> bool:
        """Whether a fault may have ended it on purpose."""

    def on_wire(self, wire: Wire) -> None:
        """Write the reply."""

    def done(self, error: str = "", code: str = "") -> None:
        """It was written, or ``error`` says why not, with one of ``runs.records.CODES``."""

    def wait(self, seconds: float | None) -> bool:
        """How a wire fault waits."""


class Handler(Protocol):
    """What the server asks of the rooms above."""

    def plan_connection(self) -> Plan:
        """The faults of a connection just accepted."""

    def handle(self, request: Request) -> Answer:
        """The answer to a request; never raises."""

    def connection_failed(
        self, error: str, *, code: str, status: int | None, faults: list[str]
    ) -> None:
        """Something arrived on a connection, but not a whole request. ``code`` is one of
        ``runs.records.CODES``, ``status`` the HTTP status that was answered, if any."""


class Aborted(Exception):
    """The connection is over, on purpose; nothing more is to be written."""


class Site(Protocol):
    """What a connection needs to know of the server that accepted it."""

    handler: Handler
    tls: Callable[[], ssl.SSLContext] | None
    names: Callable[[], Sequence[str]]
    certificates: CertificateAuthority
    stopping: bool

    def count_handshake(self, change: int) -> None:
        """One more, or one less, is under way."""


def _handshake_code(reason: str) -> str:
    """The code of a handshake that failed for ``reason``, in OpenSSL's wording."""
    rejected = "ALERT" in reason and ("CERT" in reason or "_CA" in reason)
    return "certificate-rejected" if rejected else "handshake-failed"


class Connection:
    """One accepted socket: what a connection fault and a wire fault are handed, and the loop
    between them."""

    def __init__(self, site: Site, sock: socket.socket, limits: Limits) -> None:
        self._site = site
        self._sock = sock
        self._limits = limits
        self._answering = False
        self._over = False
        self._must_reset = False
        self._faults: list[str] = []
        self._wait: Callable[[float | None], bool] = NO_PLAN.wait("")
        self.names = site.names()
        self.certificates = site.certificates
        self.secure = site.tls is not None
        self.head = b""
        self.body = b""

    def interrupt(self, *, reset: bool, gently: bool) -> None:
        """From another thread: end it. ``gently`` spares one that is being answered."""
        if gently and self._answering:
            return
        self._over = True
        self._must_reset = self._must_reset or reset
        # Not SSLSocket.shutdown: that one drops the TLS object under the owner's feet.
        with contextlib.suppress(OSError):
            if reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
                socket.socket.shutdown(self._sock, socket.SHUT_RD)
            else:
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def serve(self) -> None:
        """The life of the connection; never raises."""
        try:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plan = self._site.handler.plan_connection()
            self._faults = plan.names
            self._wait = plan.wait("connection")
            plan.fault("connection").on_connection(self)
        except Aborted:
            pass
        except (OSError, ValueError) as exc:
            # ValueError: "write to closed or unwrapped SSL", another thread was here first.
            if not self._over and self._faults:
                self._failed(f"{type(exc).__name__}: {exc}", "request-incomplete")
        except Exception as exc:  # a fault's bug must not kill the thread that others share
            self._failed(f"{type(exc).__name__}: {exc}", "internal-error")
        finally:
            self._end()

    def _failed(self, error: str, code: str, *, status: int | None = None) -> None:
        self._site.handler.connection_failed(error, code=code, status=status, faults=self._faults)

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            if self._must_reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            self._sock.close()

    # What faults.base.Connection promises

    def wait(self, seconds: float | None) -> bool:
        return self._wait(seconds)

    def read(self, size: int) -> bytes:
        self._sock.settimeout(self._limits.head)
        return self._sock.recv(size)

    def proceed(self, context: Any = None) -> None:
        tls = self._site.tls
        if tls is not None and not self._shake_hands(context if context is not None else tls()):
            return
        while self._one_request():
            pass

    def _shake_hands(self, context: ssl.SSLContext) -> bool:
        self._sock.settimeout(self._limits.handshake)
        first = self._sock.recv(1, socket.MSG_PEEK)
        if not first:
            return False  # a port probe: not a byte came, so nothing is recorded
        if first != b"\x16":  # TLS ContentType handshake (RFC 8446, 5.1)
            self._failed("plain http on an https port", "plain-http-on-tls-port", status=400)
            self._sock.recv(CHUNK)
            self._refuse(RequestError(400, "this port speaks https; use an https:// URL"))
            return False
        self._site.count_handshake(1)
        try:
            self._sock = context.wrap_socket(
                self._sock,
                server_side=True,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=True,
            )
            self._sock.do_handshake()
        except (OSError, ValueError) as exc:  # SSLError is an OSError
            if not self._over:
                reason = getattr(exc, "reason", None) or type(exc).__name__
                self._failed(f"TLS handshake: {reason}", _handshake_code(reason))
            return False
        finally:
            self._site.count_handshake(-1)
        return True

    def _one_request(self) -> bool:
        limits = self._limits
        reader = RequestReader(
            max_head=limits.max_head, max_body=limits.max_body, secure=self.secure
        )
        try:
            if not self._read(reader):
                return False
            request = reader.request()
        except RequestError as exc:
            if not self._over:
                self._failed(str(exc), exc.code, status=exc.status)
                self._refuse(exc)
            return False
        except (OSError, ValueError) as exc:
            if reader.started and not self._over:
                error = f"the request broke off: {type(exc).__name__}: {exc}"
                self._failed(error, "request-incomplete")
            return False
        self._answering = True
        answer = self._site.handler.handle(request)
        try:
            return self._write(answer, close=not reader.keep_alive, more=reader.pipelined)
        finally:
            self._answering = False

    def _read(self, reader: RequestReader) -> bool:
        limits, sock = self._limits, self._sock
        sock.settimeout(limits.idle if self.head else limits.head)
        deadline = 0.0
        continued = False
        while True:
            data = sock.recv(CHUNK)
            if not data:
                if reader.started and not self._over:
                    error = "the client closed before its request was whole"
                    self._failed(error, "request-incomplete")
                return False
            if reader.feed(data):
                return True
            if reader.expects_continue and not continued:
                continued = True
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            now = time.monotonic()
            if not deadline:
                deadline = now + limits.head
                in_head = True
            if in_head and reader.head_done:
                deadline, in_head = now + limits.body, False
            left = deadline - now
            if left <= 0:
                raise RequestError(408, "the request took too long to arrive", "request-timeout")
            sock.settimeout(left)

    def _write(self, answer: Answer, *, close: bool, more: bool) -> bool:
        reply = answer.reply
        close = close or self._site.stopping
        self.head, self.body = reply.head(close=close), reply.body
        self._wait = answer.wait
        try:
            if self._over:
                raise Aborted
            self._sock.settimeout(self._limits.write)
            answer.on_wire(self)
        except Aborted:
            error = "" if answer.ends_early else "the connection was ended"
            answer.done(error, "connection-ended")
            return False
        except (OSError, ValueError) as exc:
            answer.done(f"the answer was not taken: {type(exc).__name__}: {exc}", "reply-not-taken")
            return False
        answer.done()
        if more:  # a request that is not served here may still be on its way
            with contextlib.suppress(OSError):
                self._drain()
        return not close and not self._over

    def _refuse(self, error: RequestError) -> None:
        """Answer an error while the client may still be writing."""
        reply = json_reply(error.status, {"error": str(error)})
        with contextlib.suppress(OSError, ValueError):
            self._sock.settimeout(self._limits.drain)
            self._sock.sendall(reply.head(close=True) + reply.body)
            self._drain()

    def _drain(self) -> None:
        """Half-close and read what the client still writes, bounded in bytes and time; a plain
        close would reset the answer away (RFC 9112, 9.6)."""
        self._sock.settimeout(self._limits.drain)
        socket.socket.shutdown(self._sock, socket.SHUT_WR)
        deadline = time.monotonic() + self._limits.drain
        drained = 0
        while drained < DRAIN_BYTES and time.monotonic() < deadline:
            size = len(socket.socket.recv(self._sock, CHUNK))  # below TLS: nobody reads it
            if not size:
                return
            drained += size

    # What faults.base.Wire promises

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def send_all(self) -> None:
        # One write, so one TLS record for a small answer.
        self._sock.sendall(self.head + self.body)

    def close(self) -> NoReturn:
        raise Aborted

    def reset(self) -> NoReturn:
        self._must_reset = True
        raise Aborted
