"""``ApiServer``: serves a WSGI application on a port of this machine, with werkzeug's request
handler.

werkzeug's own server is not used: it takes up to 0.5 s to stop, leaves the threads of open
connections behind, and has no limit of connections. Plain http, because the port is on loopback.
"""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Protocol, runtime_checkable

from werkzeug.serving import WSGIRequestHandler

from wove_http_dev.errors import NoThreadError, PortInUseError
from wove_http_dev.forks import close_in_forks
from wove_http_dev.inspector.access import SECURITY_HEADERS
from wove_http_dev.printable import print_traceback
from wove_http_dev.runs.threads import ThreadGroup
from wove_http_dev.service.listener import Listener
from wove_http_dev.service.port import Port

HOST = "localhost"
"""The host whose addresses are listened on; clients may use either."""
CONNECTIONS = 128
"""Connections served at once; beyond it, the oldest that waits for its client is closed."""
READ_TIME = 10.0
"""Seconds in which a whole request must arrive."""
DRAIN_TIME = 1.0
"""Seconds that are then left to a client which was answered before its request had arrived."""
WRITE_TIME = 5.0
"""Seconds in which each part of an answer must be taken by the client."""
SEND_BUFFER = 2**18
"""Bytes that the system keeps for a client that does not read; by itself it lets them grow to
megabytes (tcp(7), tcp_wmem)."""
MOST_READ = 16 * 2**20
"""Bytes that are read of one connection. A body that is too large is read up to there, because a
client that is still writing would see a reset instead of the answer 413."""
STOP_TIME = 2.0
"""Seconds that :meth:`ApiServer.stop` waits for threads, all of whose connections are closed."""

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@runtime_checkable
class Closable(Protocol):
    """An answer that must be closed (PEP 3333)."""

    def close(self) -> None:
        """End the answer."""


def reserve_page_port(number: int | None, default: int = 0) -> Port:
    """Reserve the port ``number`` (0: a free one); for ``None`` the port ``default``, or a free one
    if that is in use. Raises :class:`PortInUseError` with advice."""
    try:
        return Port(HOST, default if number is None else number)
    except PortInUseError:
        if number is None:
            return Port(HOST, 0)
        raise PortInUseError(
            f"page port {number} is in use; stop what listens there, give another --page-port (0: a"
            " free one), or --no-page"
        ) from None


class ApiServer:
    """Serves ``application`` on ``port``, which it owns, from :meth:`start` until :meth:`stop`; a
    context manager.

    Nothing of a request is logged.
    """

    def __init__(self, application: Application, port: Port) -> None:
        self._application = application
        self._port = port
        self._listener: Listener | None = None
        self._lock = threading.Lock()
        self._connections: dict[_Connection, None] = {}  # in the order of their arrival
        self._threads = ThreadGroup()

    @property
    def number(self) -> int:
        """The port."""
        return self._port.number

    def start(self) -> ApiServer:
        """Start listening. Raises :class:`PortInUseError` if another process took the port."""
        try:
            self._listener = self._port.listen()
            self._threads.start(self._accept, self._listener, name="wove-http-dev-page")
        except BaseException:  # also Ctrl-C
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop listening, close every connection and release the port. Blocks until the threads
        have ended, at most :data:`STOP_TIME` seconds."""
        if self._listener is not None:
            self._listener.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            connection.close()
        self._threads.join(STOP_TIME)
        self._port.close()

    def __enter__(self) -> ApiServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _accept(self, listener: Listener) -> None:
        for sock in listener.connections():
            self._admit(sock, listener)

    def _admit(self, sock: socket.socket, listener: Listener) -> None:
        connection = _Connection(sock)
        with self._lock:
            if len(self._connections) >= CONNECTIONS:
                waiting = (each for each in self._connections if not each.served)
                next(waiting, connection).close()
            self._connections[connection] = None
        if listener.closed:  # stop() may not have seen it
            connection.close()
        try:
            self._threads.start(self._serve, connection, name="wove-http-dev-page-connection")
        except NoThreadError:
            self._forget(connection)

    def _serve(self, connection: _Connection) -> None:
        try:
            _Handler(connection, _Facts(self._application, self.number, connection))
        except OSError:
            pass  # the client, or stop(), has closed the connection
        except Exception:
            print_traceback()
        finally:
            self._forget(connection)

    def _forget(self, connection: _Connection) -> None:
        connection.close()
        connection.sock.close()
        with self._lock:
            self._connections.pop(connection, None)


class _Connection:
    """A connection, whose socket only its own thread closes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = close_in_forks(sock)
        with suppress(OSError):  # the client has closed it
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self.incoming = _Incoming(sock)
        self.served = False
        """Whether the application is answering a request: the head has arrived, and the answer is
        not written yet."""

    def close(self) -> None:
        """End the connection for both sides, also for a thread that reads or writes."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)


class _Incoming(io.RawIOBase):
    """What a client sends, up to :data:`MOST_READ` bytes and for :data:`READ_TIME` seconds; then
    the end of the file."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._left = MOST_READ
        self._deadline = time.monotonic() + READ_TIME

    def end_soon(self) -> None:
        """Read for at most :data:`DRAIN_TIME` seconds from now on."""
        self._deadline = min(self._deadline, time.monotonic() + DRAIN_TIME)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        seconds = self._deadline - time.monotonic()
        if seconds <= 0 or self._left <= 0:
            return 0
        try:
            self._sock.settimeout(seconds)
            size = self._sock.recv_into(memoryview(buffer)[: self._left])
        except TimeoutError:
            return 0
        finally:
            with suppress(OSError):
                self._sock.settimeout(WRITE_TIME)
        self._left -= size
        return size


class _Facts:
    """What werkzeug's handler asks its server for."""

    multithread, multiprocess, passthrough_errors = True, False, False
    ssl_context = None
    _server_version = "wove-http-dev"

    def __init__(self, application: Application, port: int, connection: _Connection) -> None:
        self._application = application
        self._connection = connection
        self.server_address = (HOST, port)

    def app(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        """Yield the parts of the application's answer."""
        self._connection.served = True
        answer = self._application(environ, start_response)
        try:
            for part in answer:  # noqa: UP028  # "yield from" would close it as well
                yield part
        finally:
            # werkzeug reads the rest of the request then.
            self._connection.served = False
            self._connection.incoming.end_soon()
            if isinstance(answer, Closable):
                answer.close()

    def log(self, kind: str, message: str, *args: Any) -> None:
        """Called with the traceback of an application that raised."""
        print_traceback()


class _Handler(WSGIRequestHandler):
    """Serves one request, and logs nothing: its target or headers may have the token."""

    def __init__(self, connection: _Connection, server: _Facts) -> None:
        self._connection = connection
        super().__init__(connection.sock, ("127.0.0.1", 0), server)  # type: ignore[arg-type]

    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(self._connection.incoming)

    def version_string(self) -> str:
        return "wove-http-dev"  # not the versions of Python and werkzeug

    def run_wsgi(self) -> None:
        try:
            self.make_environ()
        except ValueError:  # urllib cannot split every target
            self.send_error(400)
            return
        if not self._has_one_length():
            self.send_error(400)
            return
        if self.request_version < self.protocol_version:
            self.protocol_version = "HTTP/1.0"  # whose clients do not know chunks
        super().run_wsgi()

    def handle_expect_100(self) -> bool:
        """Send nothing: werkzeug sends ``100 Continue`` itself."""
        return True

    def _has_one_length(self) -> bool:
        """Whether the request has no ``Content-Length``, or a valid one (RFC 9112, 6.3). Werkzeug
        takes one that is not a number for none, and so a body for an empty one."""
        lengths = set(self.headers.get_all("Content-Length", ()))
        return len(lengths) < 2 and all(each.isascii() and each.isdigit() for each in lengths)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that is not HTTP, or too large, in JSON."""
        self.close_connection = True
        self.request_version = self.protocol_version  # to one of HTTP/0.9, no head would be sent
        error = HTTPStatus(code).phrase.lower()  # not the message, which repeats the request
        body = json.dumps({"error": error, "hint": "send an HTTP/1.1 request"}).encode()
        self.send_response(code)
        for name, value in SECURITY_HEADERS:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if getattr(self, "command", None) != "HEAD":
            self.wfile.write(body)
        self._connection.incoming.end_soon()
        with suppress(OSError):  # read what is still being sent, or the answer is lost in a reset
            self.connection.shutdown(socket.SHUT_WR)
            while self.rfile.read(65536):
                pass

    def log(self, type: str, message: str, *args: Any) -> None:
        """Log nothing."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""
