"""``exec --impersonate``: a proxy on loopback that leads one https name of production to a worker.

A process cannot give its children a host name without ``/etc/hosts``: the C library takes an alias
(``HOSTALIASES``) only for a name without a dot, and looks up what it stands for in the DNS. But an
https client, as Wove's executor is one, asks the proxy of the variable ``https_proxy`` for a tunnel
to a name (RFC 9110, 9.3.6, CONNECT), and does TLS through it with the server itself. So the name,
its certificate, the ``Host`` header and the signature are those of production.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import NoThreadError, UsageError
from wove_http_dev.forks import close_in_forks
from wove_http_dev.runs.threads import ThreadGroup
from wove_http_dev.service.listener import Listener

PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY")
STOP_TIME = 2.0
"""Seconds that the end waits for threads."""
CONNECT_TIME = 30.0
"""Seconds in which a connection to another place must be made."""
_CHUNK = 65536
_THREAD = "wove-http-dev-proxy"


def check_proxies(host: str) -> None:
    """Raise :class:`UsageError` if this process's variables say that https has another proxy, or
    that ``host`` has none."""
    for name in PROXY_VARIABLES:
        if os.environ.get(name):
            raise UsageError(
                f"--impersonate needs the variable {name}, which is set; start it with"
                f" env -u {name}"
            )
    if urllib.request.proxy_bypass(host):
        raise UsageError(
            f"--impersonate needs a proxy for {host}, which no_proxy excludes; start it with"
            " env -u no_proxy -u NO_PROXY"
        )


@contextmanager
def name_proxy(host: str, port: int, target: tuple[str, int]) -> Iterator[str]:
    """Run a proxy until the block ends, and yield its URL. A tunnel to ``host`` and ``port`` leads
    to ``target``, one to any other place leads there."""
    proxy = _Proxy((host.lower(), port), target)
    with restored_by(proxy.stop):
        yield proxy.start()


class _Proxy:
    """Serves tunnels, with two threads for each."""

    def __init__(self, name: tuple[str, int], target: tuple[str, int]) -> None:
        self._name = name
        self._target = target
        self._listener: Listener | None = None
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads = ThreadGroup()
        self._stopped = False

    def start(self) -> str:
        """Start to listen, and return the URL."""
        sock = close_in_forks(socket.create_server(("127.0.0.1", 0)))
        self._listener = Listener([sock])
        self._threads.start(self._accept, self._listener, name=_THREAD)
        return f"http://127.0.0.1:{sock.getsockname()[1]}"

    def stop(self) -> None:
        """Stop to listen, end every tunnel, and wait until the threads have ended, at most
        :data:`STOP_TIME` seconds: one may be connecting."""
        self._stopped = True
        if self._listener is not None:
            self._listener.close()
        with self._lock:
            for sock in self._sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self._threads.join(STOP_TIME)

    def _accept(self, listener: Listener) -> None:
        for client in listener.connections():
            try:
                self._threads.start(self._serve, client, name=_THREAD)
            except NoThreadError:
                client.close()

    @contextmanager
    def _open(self, sock: socket.socket) -> Iterator[socket.socket]:
        """Close ``sock`` at the end of the block; :meth:`stop` ends it before."""
        with close_in_forks(sock):
            with self._lock:
                self._sockets.add(sock)
            try:
                if self._stopped:
                    raise ConnectionAbortedError
                yield sock
            finally:
                with self._lock:
                    self._sockets.discard(sock)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, NoThreadError), self._open(client):
            place, rest = _requested(client)
            if place is None:
                client.sendall(b"HTTP/1.1 405 Only CONNECT\r\nAllow: CONNECT\r\n\r\n")
                return
            try:
                address = self._target if place == self._name else place
                there = socket.create_connection(address, CONNECT_TIME)
            except (OSError, UnicodeError) as exc:  # UnicodeError: no host name
                reason = type(exc).__name__
                client.sendall(f"HTTP/1.1 502 Cannot connect: {reason}\r\n\r\n".encode())
                return
            there.settimeout(None)
            with self._open(there):
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                other = self._threads.start(_copy, there, client, name=_THREAD)
                _copy(client, there, rest)
                other.join()


def _requested(client: socket.socket) -> tuple[tuple[str, int] | None, bytes]:
    """Read the head of a request. Return the host and the port of the tunnel that it asks for, or
    ``None`` if it asks for something else; and what came after it."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _CHUNK:
        more = client.recv(_CHUNK)
        if not more:
            break
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    method, _, others = head.partition(b" ")
    host, _, port = others.partition(b" ")[0].decode("latin-1").rpartition(":")
    if method != b"CONNECT" or not host or not (port.isascii() and port.isdigit()):
        return None, rest
    return (host.strip("[]").lower(), int(port)), rest


def _copy(source: socket.socket, sink: socket.socket, first: bytes = b"") -> None:
    """Send ``first`` and then everything that ``source`` sends to ``sink``. An end of ``source``
    ends ``sink``, and a reset resets it. Blocks until then."""
    try:
        data = first or source.recv(_CHUNK)
        while data:
            sink.sendall(data)
            data = source.recv(_CHUNK)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for sock in (source, sink):
            with suppress(OSError):
                # Closing then sends a reset (socket(7), SO_LINGER).
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RD)  # wakes the thread that copies the other way
