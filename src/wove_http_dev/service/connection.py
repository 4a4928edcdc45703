"""One accepted connection: TLS handshake, requests, replies, end.

:class:`HttpConnection` reads a request, passes it to a :class:`Handler` and writes the reply. It is
also the object that faults of the stages ``connection`` and ``wire`` act on.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn, Protocol

from wove_http_dev.faults.distributions import Duration
from wove_http_dev.faults.plan import NO_PLAN, Plan, Wait
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.messages import json_reply
from wove_http_dev.protocol.request_reader import RequestError, RequestReader
from wove_http_dev.runs.steps import Steps, finish
from wove_http_dev.service import handshake
from wove_http_dev.service.budget import ByteBudget
from wove_http_dev.service.client_socket import CHUNK, ClientSocket
from wove_http_dev.service.handler import Handler
from wove_http_dev.service.intake import RequestIntake
from wove_http_dev.service.limits import Limits
from wove_http_dev.tls import CertificateAuthority

CONNECTIONS_FULL = "the limit of connections was near; this one made room for another"
BODIES_FULL = (
    "the memory for bodies that are not authenticated was full; this one, whose body had stopped"
    " or was slow, made room for another"
)

REPLIES_FULL = (
    "the memory for replies was full; this one, whose client had stopped reading or was slow, made"
    " room for others"
)


class Aborted(Exception):
    """Raised when a fault or the server has ended the connection: nothing more is written to it."""


class ConnectionOwner(Protocol):
    """The server, as seen by the connections that it accepted."""

    handler: Handler
    tls: Callable[[], ssl.SSLContext] | None
    names: Callable[[], Sequence[str]]
    certificates: CertificateAuthority
    budget: ByteBudget
    """For bodies."""
    replies: ByteBudget
    stopping: bool

    def count_handshake(self, change: int) -> None:
        """Add ``change`` (1 or -1) to the number of handshakes in progress."""


class HttpConnection:
    """One accepted connection: does the TLS handshake and serves requests until it ends."""

    def __init__(self, owner: ConnectionOwner, sock: socket.socket, limits: Limits) -> None:
        self._owner = owner
        self._client = ClientSocket(sock)
        self._limits = limits
        self.authenticated = False
        self.evicted = False
        self.awaits = "request"
        self.unproven_since = self.awaits_since = time.monotonic()
        self._eviction = CONNECTIONS_FULL
        self._eviction_unrecorded = False
        """Whether the journal must still get the eviction, even if nothing has arrived."""
        self._answering = False
        """Whether a request is being served."""
        self._last = False
        """Whether no further request is served."""
        self._intake: RequestIntake | None = None
        """Reads a request."""
        self._last_reply = False
        """Whether the last reply says that the connection closes."""
        self._over = False
        """Whether the server ended the connection."""
        self._plan: Plan = NO_PLAN
        self._wait: Wait
        self.certificates = owner.certificates
        self.secure = owner.tls is not None
        self.head = b""
        self.body = b""

    def interrupt(self, *, reset: bool, gently: bool) -> None:
        """End the connection from another thread; ``reset`` sends a TCP reset. ``gently`` does
        nothing while a request is being served."""
        # In this order: a request that begins to be served between the two lines is ended, or is
        # the last one.
        self._last = gently
        if gently and self._answering:
            return
        self._over = True
        self._client.shut_down(socket.SHUT_RD if reset else socket.SHUT_RDWR, reset=reset)
        self._owner.budget.wake()

    def evict(self, *, record: bool) -> None:
        """End the connection from another thread, to make room. A request that has already arrived
        is still served. ``record`` adds it to the journal even if nothing has arrived."""
        self.evicted = True
        self._eviction_unrecorded = record
        self._client.shut_down(socket.SHUT_RDWR if self.awaits == "reader" else socket.SHUT_RD)
        self._owner.budget.wake()

    def body_pace(self) -> float:
        intake = self._intake
        return intake.body_pace() if intake is not None else 0.0

    def end_body(self) -> bool:
        """End the connection from another thread, because its body takes memory and does not
        arrive. Return false, and do nothing, while a request is being served."""
        if self._answering or self.evicted:
            return self.evicted
        self._eviction = BODIES_FULL
        self.evict(record=False)
        return True

    def end_reply(self) -> bool:
        """Reset the connection from another thread, because its reply takes memory and is not read.
        Return false, and do nothing, while it does not wait for its client: where a fault stalls
        the reply, that is not the client's doing."""
        if self.awaits != "reader":
            return False
        if not self.evicted:
            self._eviction, self.evicted = REPLIES_FULL, True
        # What the kernel holds for the client is freed as well.
        self._client.shut_down(socket.SHUT_RDWR, reset=True)
        return True

    def serve(self) -> Steps[None]:
        """Serve the connection, in steps, until it has ended. Never raises."""
        try:
            self._plan = plan = self._owner.handler.plan_connection()
            self._wait = plan.wait("connection")
            hit = plan.hit("connection")
            if hit is None:  # a fault calls proceed(), which blocks
                yield from self._requests()
            else:
                self._await("")  # a connection that a fault stalls is not ended to make room
                hit.fault.on_connection(self)
            if self._eviction_unrecorded:
                self._broke_off("", "")
        except Aborted:
            pass
        except BaseException as exc:  # SystemExit too: other connections use this thread
            if exc is not self._client.broken:
                self._owner.handler.service_failed(exc, self._plan)
            elif not self._over and self._plan.names:
                self._failed(f"{type(exc).__name__}: {exc}", "request-incomplete")
        finally:
            self._client.end()

    def _failed(self, error: str, code: str, *, status: int | None = None) -> None:
        self._owner.handler.connection_failed(error, code=code, status=status, plan=self._plan)

    def _broke_off(self, error: str, code: str, *, status: int | None = None) -> None:
        """Record that the connection ended before a request was complete: as evicted, or with
        ``error``, and the ``status`` of the reply, unless the server ended it."""
        if self.evicted:
            self._eviction_unrecorded = False
            self._failed(self._eviction, "connection-evicted")
        elif not self._over:
            self._failed(error, code, status=status)

    def _await(self, what: str) -> None:
        """Set ``awaits`` to ``what`` (see ``admission.Admitted``), from now on."""
        self.awaits_since = time.monotonic()
        self.awaits = what

    # faults.fault.Connection

    @property
    def names(self) -> Sequence[str]:
        return self._owner.names()

    def wait(self, seconds: Duration | None) -> bool:
        return self._wait(seconds)

    def read(self, size: int) -> bytes:
        return self._client.receive(size, self._limits.head)

    def proceed(self, context: Any = None) -> None:
        finish(self._requests(context))

    def _requests(self, context: Any = None) -> Steps[None]:
        tls = self._owner.tls
        if tls is not None and not self._shake_hands(context or handshake.own_context(tls)):
            return
        waiting = self._wait
        while (yield from self._one_request()):
            # What was answered must not stay in memory while the next request is awaited.
            self.body, self._wait = b"", waiting

    def _shake_hands(self, context: ssl.SSLContext) -> bool:
        self._await("request")
        seconds = self._limits.handshake
        first = self._client.receive(1, seconds, socket.MSG_PEEK)
        if not first:
            return False  # a port probe: no byte arrived, so nothing is recorded
        if first != handshake.FIRST_BYTE:
            code = "plain-http-on-tls-port"
            self._failed("plain http on an https port", code, status=400)
            self._client.receive(CHUNK, seconds)
            self._refuse(RequestError(400, "this port speaks https; use an https:// URL", code))
            return False
        self._owner.count_handshake(1)
        try:
            handshake.shake_hands(self._client, context, seconds)
        except handshake.HandshakeError as exc:
            self._broke_off(str(exc), exc.code)
            return False
        finally:
            self._owner.count_handshake(-1)
        return True

    def _one_request(self) -> Steps[bool]:
        """Serve one request. Return whether a further one may follow."""
        if self._last:
            return False
        limits = self._limits
        reader = RequestReader(
            max_head=limits.max_head, max_body=limits.max_body, secure=self.secure
        )
        self._await("request")
        self._intake = intake = RequestIntake(
            reader,
            limits,
            receive=partial(self._client.receive, CHUNK),
            send=self.send,
            judge=self._owner.handler.judge,
            reserve=self._reserve,
        )
        try:
            if not self._arrives(intake, reader):
                # The end was sent while the client's window may have been closed. Linux does not
                # open it again for a socket that is closed, so the client could go on sending
                # until its own time limit; a reset ends that.
                self._client.must_reset |= self._over and reader.started
                return False
            self._await("")
            self._answering, self._intake = True, None
            answered = yield from self._answer(reader, intake.refusal)
            return answered and self._is_kept(reader)
        finally:
            reader.close()
            self._intake = None
            self._answering = False
            self._owner.budget.release(self)
            self._owner.replies.release(self)

    def _arrives(self, intake: RequestIntake, reader: RequestReader) -> bool:
        """Wait for a request and return true. If none arrives, record why, refuse what is not a
        request, and return false."""
        limits = self._limits
        try:
            if intake.read(limits.idle if self.head else limits.head):
                return True
            error = "the client closed before its request was complete"
        except RequestError as exc:
            reader.drop_body()
            self._owner.budget.release(self)
            self._broke_off(str(exc), exc.code, status=exc.status)
            if not self._ends:
                self._refuse(exc, reader.method)
            return False
        except (OSError, ValueError) as exc:
            if exc is not self._client.broken:
                raise
            error = f"the request broke off: {type(exc).__name__}: {exc}"
        if reader.started:
            self._broke_off(error, "request-incomplete")
        return False

    def _is_kept(self, reader: RequestReader) -> bool:
        """Return whether a further request may follow the one that was answered. If not, and the
        client has sent more, read and drop it."""
        if reader.pipelined or not reader.complete:
            # The rest of a refused request, or a pipelined one, which is not served. It may take
            # seconds, in which neither the request nor the reply may be in memory.
            self.body = b""
            self._await("request")
            with contextlib.suppress(OSError):
                self._client.drain(self._limits.drain)
            return False
        self._client.all_read = not (reader.keep_alive or self._ends)
        return not (self._last_reply or self._ends)

    @property
    def _ends(self) -> bool:
        """Whether the server has ended the connection, or ends it to make room."""
        return self._over or self.evicted

    def _reserve(self, size: int) -> bool:
        budget, wait = self._owner.budget, self._limits.bodies_wait
        if not budget.take(self, size, wait, given_up=lambda: self._ends):
            return False
        self.unproven_since = time.monotonic()  # a large body may take long, while it arrives
        return True

    def _accepted(self) -> None:
        self.authenticated = True
        self._owner.budget.release(self)

    def _answer(self, reader: RequestReader, refusal: Verdict | None) -> Steps[bool]:
        """Serve the request that was read and write the reply. Return whether it was written."""
        pending = yield from self._owner.handler.handle(reader.request(), refusal, self._accepted)
        self._owner.budget.release(self)
        self._last_reply = self._owner.stopping or not reader.keep_alive
        self._wait = pending.wait
        try:
            reply = pending.reply
            self.head = reply.head(close=self._last_reply)
            self.body = reply.content(reader.method)
            if len(self.body) > CHUNK:
                self._owner.replies.add(self, len(self.body))
            if self._over:
                raise Aborted
            pending.on_wire(self)
        except Aborted:
            error = "" if pending.ends_early else "the connection was ended"
            pending.done(error, "connection-ended")
            return False
        except BaseException as exc:  # a wire fault's bug may be anything, SystemExit too
            if exc is not self._client.broken:
                pending.failed(exc)
            else:
                error = f"the reply was not taken: {type(exc).__name__}: {exc}"
                code = "connection-evicted" if self.evicted else "reply-not-taken"
                pending.done(self._eviction if self.evicted else error, code)
            return False
        pending.done(written=True)
        return True

    def _refuse(self, error: RequestError, method: str = "") -> None:
        """Reply with ``error``, although the client may still be sending its request."""
        later = {"retry_after": "1"} if error.status == 503 else {}
        document = {"error": str(error), "code": error.code}
        reply = json_reply(error.status, document, **later)
        with contextlib.suppress(OSError, ValueError):
            self._client.send(reply.head(close=True) + reply.content(method), self._limits.drain)
            self._client.drain(self._limits.drain)

    # faults.fault.Wire

    def send(self, data: bytes | memoryview) -> None:
        before, limits = self.awaits, self._limits
        try:
            self._client.send(
                data,
                limits.write,
                patience=limits.unread,
                begun=self._piece_begun,
                stalled=self._owner.replies.relieve,
            )
        finally:
            self._await(before)

    def _piece_begun(self) -> None:
        self._await("reader")
        self._owner.replies.progressed(self)

    def send_all(self) -> None:
        # One write, so one TLS record for a small reply; but no copy of a large one.
        at_once = max(0, CHUNK - len(self.head))
        self.send(self.head + self.body[:at_once])
        if len(self.body) > at_once:
            self.send(memoryview(self.body)[at_once:])

    def close(self) -> NoReturn:
        raise Aborted

    def reset(self) -> NoReturn:
        self._client.must_reset = True
        raise Aborted
