"""``Connections``: kept connections to an upstream service, and ``Attempt``: one request on one.

A request is never sent twice, because it is a POST, which may have run a task (RFC 9110, 9.2.2).
Instead a kept connection is looked at before it is used: one that upstream has closed is left out.

Nothing of the process's own configuration applies: no proxy variable, no opener of urllib, and no
name that this package resolves to a worker.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from wove_http_dev.forks import close_in_forks
from wove_http_dev.option_urls import UpstreamAddress
from wove_http_dev.runners.upstream_answer import Clock, HttpAnswer, read_answer
from wove_http_dev.runners.upstream_failures import (
    UpstreamError,
    answer_error,
    connect_error,
)
from wove_http_dev.runs.forwarding import ABANDONED, UpstreamLeg

IDLE_CONNECTIONS = 32
"""Connections that are kept. Wove's executor has at most 32 requests in flight."""
IDLE_TIME = 1.5
"""Seconds for which a connection is kept. Servers close one after 2 (gunicorn) to 5 (uvicorn), and
a request that is sent at that moment is lost."""
CONNECT_TIME = 10.0
"""Seconds for each address of the host, and for the TLS handshake."""
SEND_TIME = 30.0
"""Seconds for each :data:`_PIECE` of a request, until upstream has made room for it."""
EARLY_TIME = 1.0
"""Seconds for an answer that upstream may have sent before it stopped reading the request."""
_PIECE = 2**18  # bytes


class Connections:
    """Makes connections to ``address`` and keeps those that are idle. Thread-safe.

    ``context`` makes the TLS context of an https upstream. At most ``answer_limit`` bytes of an
    answer's body are read. ``clock`` returns seconds.
    """

    def __init__(
        self,
        address: UpstreamAddress,
        context: Callable[[], ssl.SSLContext],
        *,
        answer_limit: int,
        clock: Clock = time.monotonic,
    ) -> None:
        self.address = address
        self.answer_limit = answer_limit
        self.clock = clock
        self.context: ssl.SSLContext | None = None
        self._make_context = context
        self._lock = threading.Condition()
        self._idle: list[tuple[socket.socket, float]] = []
        self._attempts: set[Attempt] = set()
        self._open = False

    def open(self) -> None:
        """Allow connections. Raises what making the TLS context raises."""
        if self.address.secure:
            self.context = self._make_context()
        with self._lock:
            self._open = True

    def close(self, timeout: float) -> None:
        """Close every connection, and wait at most ``timeout`` seconds for the requests on them to
        end."""
        with self._lock:
            self._open = False
            idle, self._idle = self._idle, []
        for sock, _ in idle:
            sock.close()
        self.abort()
        with self._lock:
            self._lock.wait_for(lambda: not self._attempts, timeout)

    def abort(self) -> None:
        """End every request."""
        with self._lock:
            attempts = list(self._attempts)
        for attempt in attempts:
            attempt.abort()

    def attempt(self) -> Attempt:
        """Return a new attempt, which must be ended by its ``send()`` or ``end()``."""
        attempt = Attempt(self)
        with self._lock:
            self._attempts.add(attempt)
            if not self._open:
                attempt.abort()
        return attempt

    def take_idle(self) -> socket.socket | None:
        """Return a kept connection that upstream has not closed; ``None`` if there is none."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                sock, since = self._idle.pop()  # the newest: the others grow old and are closed
            if self.clock() - since <= IDLE_TIME and _is_idle(sock):
                return sock
            sock.close()

    def give_back(self, attempt: Attempt, sock: socket.socket | None, *, keep: bool) -> None:
        """Take back the connection of ``attempt``, which has ended."""
        now = self.clock()
        with self._lock:
            self._attempts.discard(attempt)
            kept = keep and self._open and sock is not None
            if sock is not None and kept:
                self._idle.append((sock, now))
            old = [each for each, since in self._idle if now - since > IDLE_TIME]
            old += [each for each, _ in self._idle[:-IDLE_CONNECTIONS]]
            self._idle = [each for each in self._idle if each[0] not in old]
            self._lock.notify_all()
        for each in old:
            each.close()
        if sock is not None and not kept:
            sock.close()


def _is_idle(sock: socket.socket) -> bool:
    """Whether nothing can be read from an idle connection: neither its end, nor bytes that answer
    no request."""
    try:
        sock.setblocking(False)
        socket.socket.recv(sock, 1, socket.MSG_PEEK)  # below TLS
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class Attempt:
    """One request to upstream, in one thread; any thread may :meth:`abort` it."""

    def __init__(self, connections: Connections) -> None:
        self.sent = threading.Event()
        """Set when the whole request was written, or never will be."""
        self._connections = connections
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._aborted = False

    def abort(self) -> None:
        """End the request; :meth:`send` raises for it."""
        with self._lock:
            self._aborted = True
            sock = self._sock
        if sock is not None:
            with suppress(OSError):
                # Below TLS, which is in use. close() alone would not wake the other thread.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def end(self) -> None:
        """End the attempt without a request."""
        self.sent.set()
        self._connections.give_back(self, None, keep=False)

    def send(self, head: bytes, body: bytes, leg: UpstreamLeg, *, wait: float) -> HttpAnswer:
        """Send a request, block until the whole answer has arrived, and return it. The answer must
        begin within ``wait`` seconds after the request was written. ``leg`` is filled in.

        Raises :class:`UpstreamError`.
        """
        clock, keep = self._connections.clock, False
        begun = clock()
        try:
            self._connect(leg)
            answer, keep = self._exchange(head, body, leg, wait)
            leg.status, leg.received = answer.status, len(answer.body)
            return answer
        except UpstreamError as exc:
            error = exc if not self._aborted else _aborted()
            leg.error, leg.code = str(error), error.code
            raise error from None
        finally:
            leg.seconds = max(0.0, clock() - begun)
            self.sent.set()
            with self._lock:
                sock, self._sock = self._sock, None
            self._connections.give_back(self, sock, keep=keep and not self._aborted)

    def _use(self, sock: socket.socket) -> None:
        """Let :meth:`abort` end ``sock``. Raises :class:`UpstreamError` if it came before."""
        with self._lock:
            self._sock = sock
            if self._aborted:
                raise _aborted()

    def _connect(self, leg: UpstreamLeg) -> None:
        kept = self._connections.take_idle()
        if kept is not None:
            leg.reused = True
            self._use(kept)
            return
        address, context = self._connections.address, self._connections.context
        try:
            plain = self._connected_socket(address)
            if context is not None:
                # Not during the handshake, for which abort() needs the socket.
                wrapped = context.wrap_socket(
                    plain, server_hostname=address.host, do_handshake_on_connect=False
                )
                self._use(close_in_forks(wrapped))
                wrapped.do_handshake()
        except OSError as exc:
            raise connect_error(exc, address) from None

    def _connected_socket(self, address: UpstreamAddress) -> socket.socket:
        """Return a connection to the first address of the host that takes one."""
        failure: OSError = OSError("it has no address")
        # Without the port: client.dns resolves a host with a port to a worker of this process.
        for family, kind, protocol, _, where in socket.getaddrinfo(
            address.host, None, type=socket.SOCK_STREAM
        ):
            sock = close_in_forks(socket.socket(family, kind, protocol))
            self._use(sock)
            try:
                sock.settimeout(CONNECT_TIME)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect((where[0], address.port, *where[2:]))
                return sock
            except OSError as exc:
                failure = exc
                sock.close()
        raise failure

    def _exchange(
        self, head: bytes, body: bytes, leg: UpstreamLeg, wait: float
    ) -> tuple[HttpAnswer, bool]:
        sock = self._sock
        assert sock is not None
        address, whole = self._connections.address, False
        try:
            try:
                self._write(sock, head, body, leg)
                whole = True
                self.sent.set()
            except OSError:
                # It may have answered before it has read everything: that the body is too large.
                with suppress(OSError, http.client.HTTPException, ValueError):
                    return self._answer(sock, EARLY_TIME)[0], False
                raise
            return self._answer(sock, wait)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            # ValueError: http.client takes a chunk of -5 bytes for one that it can read.
            raise answer_error(exc, address, sent=whole) from None

    @staticmethod
    def _write(sock: socket.socket, head: bytes, body: bytes, leg: UpstreamLeg) -> None:
        sock.settimeout(SEND_TIME)
        if len(body) <= _PIECE:
            sock.sendall(head + body)
            leg.sent = len(body)
            return
        sock.sendall(head)
        view = memoryview(body)
        for start in range(0, len(body), _PIECE):
            sock.sendall(view[start : start + _PIECE])
            leg.sent = min(start + _PIECE, len(body))

    def _answer(self, sock: socket.socket, wait: float) -> tuple[HttpAnswer, bool]:
        connections = self._connections
        return read_answer(sock, wait, limit=connections.answer_limit, clock=connections.clock)


def _aborted() -> UpstreamError:
    what = "the worker stopped, or was reset, before upstream had answered"
    return UpstreamError(what, ABANDONED, 503)
