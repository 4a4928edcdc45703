"""Where task bodies report to: a socket of the checker that tells whether a body runs, still runs,
or has ended.

A body connects and names its token; then the checker can ping it, release it, or see it go. It
knows no HTTP and no frame. Whatever else connects is hung up on.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from contextlib import suppress

TOKEN_BYTES = 32
"""Length of a token in hexadecimal digits; a line of it opens every callback."""
PING, QUIT = b"p", b"q"
GREETING_TIMEOUT = 5.0
PONG_TIMEOUT = 1.0


class Callback:
    """One body that was invited. ``address`` holds the arguments its task function takes."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.token = secrets.token_hex(TOKEN_BYTES // 2)
        self.address = {"host": host, "port": port, "token": self.token}
        self._arrival = threading.Condition()
        self._socks: list[socket.socket] = []
        self._released = False

    @property
    def count(self) -> int:
        """How many times a body with this token came."""
        return len(self._socks)

    def arrived(self, timeout: float, times: int = 1) -> bool:
        """Whether the body came ``times`` times, after waiting at most ``timeout`` seconds."""
        with self._arrival:
            return self._arrival.wait_for(lambda: len(self._socks) >= times, timeout)

    def welcome(self, sock: socket.socket) -> None:
        """The listener hands over a body's connection."""
        with self._arrival:
            self._socks.append(sock)
            released = self._released
            self._arrival.notify_all()
        if released:
            self._send_quit(sock)

    def alive(self) -> bool:
        """Whether the body answers now; the answer was written after this was called."""
        if not self._socks:
            return False
        sock = self._socks[0]
        try:
            sock.settimeout(PONG_TIMEOUT)
            sock.sendall(PING)
            return sock.recv(1) == PING
        except OSError:
            return False

    def gone(self, timeout: float) -> bool:
        """Whether the body's end of the connection closed, after at most ``timeout`` seconds."""
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
        """Let the body end, and every later one with this token at once."""
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
        """Release, and hang up."""
        self.release()
        for sock in self._socks:
            sock.close()


class Listener:
    """Listens on ``host``, the address that bodies are told to connect to."""

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
        """End ``callback``; a body that comes with its token from now on is hung up on."""
        with self._lock:
            self._callbacks.pop(callback.token, None)
        callback.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._greet, args=(sock,), daemon=True).start()

    def _greet(self, sock: socket.socket) -> None:
        ends = time.monotonic() + GREETING_TIMEOUT
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
            callback.welcome(sock)

    def close(self) -> None:
        """Stop listening and let every body go."""
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for callback in list(self._callbacks.values()):
            self.drop(callback)
