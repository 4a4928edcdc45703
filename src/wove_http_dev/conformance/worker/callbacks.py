"""A listener of the checker that task bodies connect to, so that it sees whether a body runs.

A body connects and sends its token. The checker can then ping it, release it, or see it end.
Connections without a known token are closed.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from contextlib import suppress
from typing import Any

TOKEN_BYTES = 32
"""Length of a token, hexadecimal digits; a body sends its token first."""
PING, QUIT = b"p", b"q"
TOKEN_TIMEOUT = 5.0
"""Seconds in which a connection must send its token."""
PONG_TIMEOUT = 1.0
"""Seconds in which a body must answer a ping."""


class Callback:
    """The connection of one task body; ``address`` holds the arguments for its task function."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.token = secrets.token_hex(TOKEN_BYTES // 2)
        self.address: dict[str, Any] = {"host": host, "port": port, "token": self.token}
        self._arrival = threading.Condition()
        self._socks: list[socket.socket] = []
        self._released = False

    @property
    def count(self) -> int:
        """How many bodies with this token have connected."""
        return len(self._socks)

    def arrived(self, timeout: float, times: int = 1) -> bool:
        """Wait up to ``timeout`` seconds for ``times`` bodies to connect; whether they did."""
        with self._arrival:
            return self._arrival.wait_for(lambda: len(self._socks) >= times, timeout)

    def connected(self, sock: socket.socket) -> None:
        """A body has connected; for the listener."""
        with self._arrival:
            self._socks.append(sock)
            released = self._released
            self._arrival.notify_all()
        if released:
            self._send_quit(sock)

    def alive(self) -> bool:
        """Ping the body and wait up to 1 s; whether it answered."""
        if not self._socks:
            return False
        sock = self._socks[0]
        try:
            sock.settimeout(PONG_TIMEOUT)
            sock.sendall(PING)
            return sock.recv(1) == PING
        except OSError:
            return False

    def ended(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds until the body closes its connection; whether it has."""
        ends = time.monotonic() + timeout
        sock = self._socks[0]
        while (left := ends - time.monotonic()) > 0:
            try:
                sock.settimeout(left)
                if not sock.recv(1):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True
        return False

    def release(self) -> None:
        """Let the body end; later bodies with this token end as soon as they connect."""
        with self._arrival:
            self._released = True
            socks = list(self._socks)
        for sock in socks:
            self._send_quit(sock)

    @staticmethod
    def _send_quit(sock: socket.socket) -> None:
        with suppress(OSError):
            sock.sendall(QUIT)

    def close(self) -> None:
        """Release the bodies and close their connections."""
        self.release()
        for sock in self._socks:
            sock.close()


class Listener:
    """Listens on ``host``, the address that task bodies connect to, on a free port."""

    def __init__(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.socket(family, socket.SOCK_STREAM)
        self._server.bind((host, 0))
        self._server.listen(128)
        self.host = host
        self.port: int = self._server.getsockname()[1]
        self._lock = threading.Lock()
        self._callbacks: dict[str, Callback] = {}
        threading.Thread(target=self._serve, daemon=True).start()

    def expect(self) -> Callback:
        """A callback for one body."""
        callback = Callback(self.host, self.port)
        with self._lock:
            self._callbacks[callback.token] = callback
        return callback

    def drop(self, callback: Callback) -> None:
        """Close ``callback``; bodies that connect with its token afterwards are disconnected."""
        with self._lock:
            self._callbacks.pop(callback.token, None)
        callback.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._read_token, args=(sock,), daemon=True).start()

    def _read_token(self, sock: socket.socket) -> None:
        ends = time.monotonic() + TOKEN_TIMEOUT
        token = b""
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while len(token) < TOKEN_BYTES:
                sock.settimeout(max(0.01, ends - time.monotonic()))
                piece = sock.recv(TOKEN_BYTES - len(token))
                if not piece:
                    break
                token += piece
        except OSError:
            sock.close()
            return
        with self._lock:
            callback = self._callbacks.get(token.decode("latin-1"))
        if callback is None:
            sock.close()
        else:
            callback.connected(sock)

    def close(self) -> None:
        """Stop listening and release every body."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for callback in list(self._callbacks.values()):
            self.drop(callback)
