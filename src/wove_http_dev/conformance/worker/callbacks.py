"""A listener to which the bodies of task functions connect, so that the checker sees whether a body
is running.

A body connects and sends its token. From then on the checker can ping it, let it end (release it),
or wait for its end. Connections that send no known token are closed.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from wove_http_dev.conformance.case import CaseFailed

TOKEN_BYTES = 32
"""The length of a token, which consists of hexadecimal digits."""
PING, QUIT = b"p", b"q"
TOKEN_TIMEOUT = 5.0
"""Seconds after which a connection that has not sent its token is closed."""
PONG_TIMEOUT = 10.0
"""Seconds to wait, on an idle machine, for the answer of a task body to a ping."""
WAKE_TIMEOUT = 1.0
"""Seconds to wait for the end of the listener's thread."""


class Callback:
    """The connection from a task body to the checker. ``address`` holds the task's arguments: host,
    port and token."""

    def __init__(self, host: str, port: int, catch_up: Callable[[], None]) -> None:
        self.host, self.port = host, port
        self._catch_up = catch_up
        self.token = secrets.token_hex(TOKEN_BYTES // 2)
        self.pong_timeout = PONG_TIMEOUT
        self.address: dict[str, Any] = {"host": host, "port": port, "token": self.token}
        self._arrival = threading.Condition()
        self._socks: list[socket.socket] = []
        self._released = False

    @property
    def count(self) -> int:
        """How many task bodies are known to have connected with this token."""
        return len(self._socks)

    def counted(self) -> int:
        """Return how many task bodies have connected with this token before the call. A task
        connects before it is answered, but on a busy machine its answer may be read before the
        listener's threads have run."""
        self._catch_up()
        return self.count

    def arrived(self, timeout: float, times: int = 1) -> bool:
        """Wait up to ``timeout`` seconds for ``times`` task bodies to connect; return whether they
        have."""
        with self._arrival:
            return self._arrival.wait_for(lambda: len(self._socks) >= times, timeout)

    def connected(self, sock: socket.socket) -> None:
        """Add ``sock``, the connection of a task body that the listener has just accepted."""
        with self._arrival:
            self._socks.append(sock)
            released = self._released
            self._arrival.notify_all()
        if released:
            self._send_quit(sock)

    def alive(self) -> bool:
        """Ping the task body and return whether it answered. If the body has ended, the result is
        ``False`` at once, because its connection is closed. Raises :class:`CaseFailed` if it is
        still connected and has not answered within ``pong_timeout`` seconds."""
        if not self._socks:
            return False
        sock = self._socks[0]
        try:
            sock.settimeout(self.pong_timeout)
            sock.sendall(PING)
            return sock.recv(1) == PING
        except TimeoutError as exc:
            raise CaseFailed(
                f"a running task did not answer the checker within {self.pong_timeout:g} s",
                late=True,
            ) from exc
        except OSError:
            return False

    def ended(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds for the task body to close its connection; return whether
        it has."""
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
        """Tell the task body to end. A body that connects later with this token is told the same at
        once."""
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
        """Tell the task bodies to end, and close their connections."""
        self.release()
        for sock in self._socks:
            sock.close()


class Listener:
    """Listens for connections of task bodies, at the address ``host`` and a free port.

    Raises :class:`OSError` or :class:`UnicodeError` if ``host`` is no address of this machine.
    """

    def __init__(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._server.bind((host, 0))
            self._server.listen(128)
        except BaseException:
            self._server.close()
            raise
        self.host = host
        self.port: int = self._server.getsockname()[1]
        self._lock = threading.Lock()
        self._callbacks: dict[str, Callback] = {}
        self._readers: set[threading.Thread] = set()
        """Each reads the token of a connection."""
        self._closed = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def expect(self) -> Callback:
        """Return a new callback, which waits for the connection of one task body."""
        callback = Callback(self.host, self.port, self.catch_up)
        with self._lock:
            self._callbacks[callback.token] = callback
        return callback

    def catch_up(self) -> None:
        """Wait until every connection that was made before has been counted."""
        last = self.expect()
        with suppress(OSError), socket.create_connection((self.host, self.port), WAKE_TIMEOUT) as s:
            s.sendall(last.token.encode())
            last.arrived(TOKEN_TIMEOUT)  # connections are accepted in order
        with self._lock:
            earlier = list(self._readers)
        for reader in earlier:
            reader.join(TOKEN_TIMEOUT)  # it ends by then
        self.drop(last)

    def drop(self, callback: Callback) -> None:
        """Close ``callback``. A task body that connects with its token later is disconnected."""
        with self._lock:
            self._callbacks.pop(callback.token, None)
        callback.close()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            if self._closed:
                sock.close()
                return
            reader = threading.Thread(target=self._read, args=(sock,), daemon=True)
            with self._lock:
                self._readers.add(reader)
                reader.start()

    def _read(self, sock: socket.socket) -> None:
        try:
            self._read_token(sock)
        finally:
            with self._lock:
                self._readers.discard(threading.current_thread())

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
        """Stop listening, and tell every connected task body to end."""
        self._closed = True
        # Wakes accept(), which shutdown() and close() do on some platforms only.
        with suppress(OSError):
            socket.create_connection((self.host, self.port), WAKE_TIMEOUT).close()
        self._thread.join(WAKE_TIMEOUT)
        self._server.close()
        for callback in list(self._callbacks.values()):
            self.drop(callback)
