"""``Server``: accepts connections and serves each in a thread.

werkzeug's server is not used: it does the TLS handshake inside ``accept`` (one silent client blocks
all others), sends replies over TLS 10 ms late, takes 0.5 s to stop, and has no place for faults
below HTTP. Threads are reused. Exactly one of them waits in ``accept`` while the others serve, so
no connection is passed from one thread to another, unless the body of a cancelled task keeps its
thread.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence

from wove_http_dev.errors import CannotServeError
from wove_http_dev.runs.steps import Steps
from wove_http_dev.runs.threads import join_threads, start_thread
from wove_http_dev.service.admission import near_limit, to_evict
from wove_http_dev.service.budget import ByteBudget
from wove_http_dev.service.connection import HttpConnection
from wove_http_dev.service.handler import Handler
from wove_http_dev.service.limits import Limits
from wove_http_dev.service.listener import Listener
from wove_http_dev.service.port import Port
from wove_http_dev.tls import CertificateAuthority

IDLE_THREADS = 32
"""Idle threads that are kept for later connections. Wove's executor has at most 32 requests in
flight (the threads of asyncio's default pool): then, over https, 3 of 1,000 start a thread, and 45
if only 16 are kept."""
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Server:
    """Accepts connections on ``port`` while started. ``tls`` is ``None`` for plain http."""

    def __init__(
        self,
        handler: Handler,
        port: Port,
        *,
        certificates: CertificateAuthority,
        tls: Callable[[], ssl.SSLContext] | None,
        names: Callable[[], Sequence[str]],
        limits: Limits,
        name: str = "wove-http-dev",
    ) -> None:
        self.handler = handler
        self.port = port
        self.certificates = certificates
        self.tls = tls
        self.names = names
        self.limits = limits
        self._name = name
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._listener: Listener | None = None
        self._closing: Listener | None = None
        self._waiting = 0
        """Threads that wait for a connection on the present listener."""
        self._count = 0
        """Threads that were started; each has a number in its name."""
        self._threads: set[threading.Thread] = set()
        self._connections: dict[HttpConnection, threading.Thread] = {}
        """The connections in the order of their arrival, each with the thread that serves it."""
        self._crowded = False
        """Whether a connection was ended to make room, and half of them have not ended since. The
        journal records the first such connection even if it sent nothing."""
        self.budget = ByteBudget(
            limits.bodies, patience=limits.patience, end=HttpConnection.end_body
        )
        self.replies = ByteBudget(
            limits.replies, patience=limits.unread, end=HttpConnection.end_reply
        )
        self.stopping = False
        self._handshakes = 0
        self._reported: type[BaseException] | None = None
        """The error of accept() that was reported last, until a connection is accepted."""

    def start(self) -> None:
        """Start listening. Raises :class:`PortInUseError` if another process took the port."""
        if self._listener is not None:
            return
        listener = self.port.listen()
        try:
            with self._lock:
                self._listener = listener
                self._waiting = 0  # threads of an earlier listener may still be about to end
                self.stopping = False
                self._spawn(listener)
        except BaseException:
            self.refuse()
            raise

    def _spawn(self, listener: Listener) -> None:
        """Start a thread that accepts connections on ``listener``. The caller must hold the
        lock."""
        self._count += 1
        name = f"{self._name}-connection-{self._count}"
        # A thread that could not start is not added. One that starts cannot end before it has
        # the lock, so it is added in time.
        self._threads.add(start_thread(self._serve, listener, name=name))
        self._waiting += 1

    def _serve(self, listener: Listener) -> None:
        try:
            while (connection := self._next(listener)) is not None:
                if not self._drive(connection, connection.serve()):
                    return
                with self._lock:
                    if self._listener is not listener or self._waiting >= IDLE_THREADS:
                        return
                    self._waiting += 1
                connection = None  # not kept in memory while the thread waits for the next one
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _drive(self, connection: HttpConnection, steps: Steps[None]) -> bool:
        """Serve ``connection`` in this thread, with the bodies of its tasks. Return whether it has
        ended; if not, the body of a cancelled task has kept this thread, and another one goes
        on."""
        thread = threading.current_thread()

        def go_on() -> None:
            other = threading.current_thread()
            with self._lock:  # stop() waits for the thread that serves
                self._threads.discard(thread)
                self._threads.add(other)
                self._connections[connection] = other
            try:
                self._drive(connection, steps)
            finally:
                with self._lock:
                    self._threads.discard(other)

        try:
            for step in steps:
                if not step.run_here(go_on):
                    return False
                del step  # not kept in memory while the next request is awaited
        except BaseException as exc:  # an observer of the journal may raise anything
            self._report(exc)
        with self._lock:
            self._remove(connection)
        return True

    def _next(self, listener: Listener) -> HttpConnection | None:
        """Wait for a connection and return it, after letting another thread wait for the next one.
        A connection that cannot be served is closed. Returns ``None`` if this thread is to end."""
        while True:
            sock = self._accept(listener)
            try:
                with self._lock:
                    return self._admit(sock, listener)
            except BaseException as exc:  # nothing may end the only thread that accepts
                if sock is not None:
                    sock.close()
                self._report(exc)

    def _admit(self, sock: socket.socket | None, listener: Listener) -> HttpConnection | None:
        # This thread still counts as waiting, so that no other one accepts. Its connection is not
        # counted yet, so that two such threads do not block each other.
        if sock is not None:
            self._make_room()
        connection = None
        if sock is not None and self.stopping:
            sock.close()
        elif sock is not None:
            connection = HttpConnection(self, sock, self.limits)
            if self._waiting == 1 and self._listener is listener:
                self._spawn(listener)
            self._connections[connection] = threading.current_thread()
        if self._listener is listener:
            self._waiting -= 1
        return connection

    def _make_room(self) -> None:
        """Wait until there is room for a connection. Near the limit, end one for each new one."""
        limit = self.limits.connections
        if len(self._connections) >= near_limit(limit):
            staying = sum(not connection.evicted for connection in self._connections)
            if staying >= near_limit(limit):
                self._evict()
        while len(self._connections) >= limit and not self.stopping:
            if not self._changed.wait(0.05):  # until the oldest one's patience is over
                self._evict()

    def _evict(self) -> None:
        connection = to_evict(self._connections, time.monotonic(), self.limits.patience)
        if connection is not None:
            connection.evict(record=not self._crowded)
            self._crowded = True

    def _remove(self, connection: HttpConnection) -> None:
        self._connections.pop(connection, None)
        if self._crowded and len(self._connections) <= near_limit(self.limits.connections) // 2:
            self._crowded = False
        self._changed.notify_all()

    def _accept(self, listener: Listener) -> socket.socket | None:
        """Wait for a connection and return its socket; ``None`` if ``listener`` was closed. Never
        raises."""
        while True:
            try:
                sock = listener.accept()
                self._reported = None
                return sock
            except BaseException as exc:  # nothing may end the only thread that accepts
                if self._listener is not listener:
                    return None
                number = exc.errno if isinstance(exc, OSError) else None
                if number in (errno.EBADF, errno.EINVAL, errno.ENOTSOCK):
                    self._report(
                        CannotServeError(
                            "other code of this process closed the worker's listening socket;"
                            " restart() the worker"
                        )
                    )
                    return None
                if isinstance(exc, OSError) and number not in _EXHAUSTED:
                    continue  # an error of the connection that was to be accepted (accept(2))
                if number in _EXHAUSTED:
                    with self._lock:
                        self._evict()
                if type(exc) is not self._reported:  # once: each attempt fails while a client waits
                    self._reported = type(exc)
                    self._report(exc)
                time.sleep(0.05)  # until there are descriptors or memory again

    def _report(self, exc: BaseException) -> None:
        with contextlib.suppress(Exception):
            self.handler.service_failed(exc)

    def settle(self, timeout: float) -> None:
        """Wait until no handshake is in progress, at most ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._handshakes, timeout)

    def count_handshake(self, change: int) -> None:
        """Add ``change`` (1 or -1) to the number of handshakes in progress."""
        with self._changed:
            self._handshakes += change
            self._changed.notify_all()

    def refuse(self) -> None:
        """Stop listening but keep the port reserved: new connections are refused."""
        with self._lock:
            if self._listener is not None:
                # Kept until it is closed: a stop that Ctrl-C interrupts is repeated.
                self._closing, self._listener = self._listener, None
            listener = self._closing
        if listener is not None:
            listener.close()
            self._closing = None

    def stop(self, timeout: float, *, reset: bool = False) -> None:
        """Stop listening and end every connection; requests being served get ``timeout`` seconds to
        finish.

        ``reset`` ends all at once with a TCP reset, as the kernel does for a killed process. Blocks
        for at most ``timeout`` + 0.5 seconds.
        """
        self.interrupt(reset=reset, gently=not reset)
        self._join(time.monotonic() + timeout)
        self.interrupt(reset=reset, gently=False)
        self._join(time.monotonic() + 0.5)

    def interrupt(self, *, reset: bool, gently: bool) -> None:
        """Stop listening and end the connections; ``reset`` ends them with a TCP reset, and
        ``gently`` spares those that serve a request."""
        with self._changed:
            self.stopping = True
            connections = list(self._connections)
            self._changed.notify_all()
        self.refuse()
        for connection in connections:
            connection.interrupt(reset=reset, gently=gently)

    def _join(self, deadline: float) -> None:
        this = threading.current_thread()  # a fault may stop the server that serves it
        with self._changed:
            self._changed.wait_for(
                lambda: all(thread is this for thread in self._connections.values()),
                max(0.0, deadline - time.monotonic()),
            )
            threads = list(self._threads)
        join_threads(threads, max(0.0, deadline - time.monotonic()))
