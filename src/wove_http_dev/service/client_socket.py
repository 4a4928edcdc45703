"""``ClientSocket``: the socket of one client, and how it is ended, with TLS or without.

Another thread may end it at any time, and a child process may have a copy of its descriptor.
"""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import struct
import time
from collections.abc import Callable

from wove_http_dev.forks import close_in_forks

CHUNK = 65536
"""Bytes that are received or written at once."""
DRAIN_BYTES = 128 * 2**20
"""Bytes that are read and dropped after a reply; more end the connection."""
_Socket = socket.socket  # for calls below TLS; a name that pytest-socket does not replace
_RST = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close() sends a reset


class ClientSocket:
    """Wraps an accepted socket. Every method raises what the socket raises, if not said otherwise.
    Times are seconds."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = close_in_forks(sock)
        self.broken: BaseException | None = None
        """The last exception of the socket. The client caused it; any other exception is a failure
        of the service or of a fault."""
        self.must_reset = False
        """Whether :meth:`end` sends a TCP reset."""
        self.all_read = False
        """Whether the client said that it sends no more than was read: then :meth:`end` does not
        look."""

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._sock.fileno()

    def receive(self, size: int, seconds: float, flags: int = 0) -> bytes:
        """Wait at most ``seconds`` for bytes and return at most ``size`` of them; none if the
        client closed."""
        self._sock.settimeout(seconds)
        try:
            return self._sock.recv(size, flags)
        except (OSError, ValueError) as exc:  # ValueError: TLS has ended, because of shut_down()
            self.broken = exc
            raise

    def send(
        self,
        data: bytes | memoryview,
        seconds: float,
        *,
        patience: float = math.inf,
        begun: Callable[[], None] = lambda: None,
        stalled: Callable[[], None] = lambda: None,
    ) -> None:
        """Write ``data`` in pieces of :data:`CHUNK` bytes; block until the kernel has it. Raises
        ``TimeoutError`` if it does not take a piece within ``seconds``.

        ``begun`` is called before each piece, and ``stalled`` whenever no byte of it was taken for
        ``patience`` seconds.
        """
        # Not sendall(), which does not say how much it wrote before it timed out.
        sent, end, deadline = 0, 0, 0.0
        with memoryview(data) as view:
            while sent < len(view):
                now = time.monotonic()
                if sent == end:
                    begun()
                    end, deadline = min(sent + CHUNK, len(view)), now + seconds
                self._sock.settimeout(max(0.001, min(patience, deadline - now)))
                try:
                    with view[sent:end] as rest:
                        sent += self._sock.send(rest)
                except (OSError, ValueError) as exc:
                    self.broken = exc
                    if not isinstance(exc, TimeoutError) or time.monotonic() >= deadline:
                        raise
                    stalled()

    def shake_hands(self, context: ssl.SSLContext, seconds: float) -> None:
        """Do the server's side of a TLS handshake; wait at most ``seconds`` for each answer of the
        client."""
        self._sock.settimeout(seconds)
        self._sock = close_in_forks(
            context.wrap_socket(
                self._sock,
                server_side=True,
                do_handshake_on_connect=False,
                suppress_ragged_eofs=True,
            )
        )
        self._sock.do_handshake()

    def shut_down(self, how: int, *, reset: bool = False) -> None:
        """Wake the thread that waits for the client, from another thread; ``how`` is one of the
        constants of ``socket``. With ``reset``, :meth:`end` sends a TCP reset. Never raises."""
        self.must_reset = self.must_reset or reset
        # Not SSLSocket.shutdown: it drops the TLS object, which another thread may be using.
        with contextlib.suppress(OSError):
            if reset:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            _Socket.shutdown(self._sock, how)

    def drain(self, seconds: float) -> None:
        """End the sending direction, then read and drop what the client still sends, for at most
        ``seconds`` and :data:`DRAIN_BYTES`. A plain close would reset the connection before the
        client reads the reply (RFC 9112, 9.6)."""
        _Socket.shutdown(self._sock, socket.SHUT_WR)
        deadline = time.monotonic() + seconds
        drained = 0
        while drained < DRAIN_BYTES and (left := deadline - time.monotonic()) > 0:
            self._sock.settimeout(left)
            size = len(_Socket.recv(self._sock, CHUNK))  # read below TLS, and discarded
            if not size:
                return
            drained += size

    def end(self) -> None:
        """Tell the client that the connection ends, and close the socket. Never raises."""
        with contextlib.suppress(OSError):
            try:
                self._send_end()
            finally:
                self._sock.close()
        self.broken = None  # its traceback refers to the connection, and to what it received

    def _send_end(self) -> None:
        """Tell the client that the connection ends, with a reset if it must be. ``close()`` does
        not while another process holds a copy of the descriptor.

        If bytes are unread, do nothing: ``close()`` then makes the kernel send a reset (RFC 2525,
        2.17), which a ``shutdown()`` before it would turn into an ordinary end.
        """
        if self.must_reset:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
            return
        if self.all_read or not self._has_unread():
            # Below TLS, and after the last bytes: send() returns when the kernel has them.
            _Socket.shutdown(self._sock, socket.SHUT_RDWR)

    def _has_unread(self) -> bool:
        self._sock.settimeout(0)
        try:
            return bool(_Socket.recv(self._sock, 1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
