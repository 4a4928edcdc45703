"""An HTTP proxy on loopback that keeps the head of each request, and makes the tunnels (CONNECT)
that it is asked for."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Any

HEAD_LIMIT = 65536
_PASS = b"HTTP/1.1 200 Connection established\r\n\r\n"
_REFUSE = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class RecordingProxy:
    """Listens from ``with`` to its end. A CONNECT leads to 127.0.0.1 and the port that it names,
    and every other request is answered with 502."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        """The head of each request, or what came instead of one."""

    def __enter__(self) -> RecordingProxy:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="conformance-proxy", daemon=True
        )
        thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    proxy: RecordingProxy


class _Handler(socketserver.BaseRequestHandler):
    request: socket.socket
    server: Any

    def handle(self) -> None:
        with suppress(OSError):
            head = self._head()
            self.server.proxy.heads.append(head)
            method, _, rest = head.partition(" ")
            port = rest.partition(" ")[0].rpartition(":")[2]
            if method == "CONNECT" and port.isdigit():
                self._tunnel(int(port))
            else:
                self.request.sendall(_REFUSE)

    def _head(self) -> str:
        """Read until a head is complete; return it, or as much of it as came."""
        head = b""
        while b"\r\n\r\n" not in head and len(head) < HEAD_LIMIT:
            block = self.request.recv(4096)
            if not block:
                break
            head += block
        return head.decode("latin-1")

    def _tunnel(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as target:
            self.request.sendall(_PASS)
            back = threading.Thread(
                target=_copy, args=(target, self.request), name="conformance-tunnel", daemon=True
            )
            back.start()
            _copy(self.request, target)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Send what comes from ``source`` to ``target``, until its end."""
    with suppress(OSError):
        while block := source.recv(65536):
            target.sendall(block)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
