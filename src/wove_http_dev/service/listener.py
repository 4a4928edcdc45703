"""``Listener``: waits for connections on the listening sockets of a port."""

from __future__ import annotations

import errno
import os
import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from wove_http_dev.descriptors import close_sockets
from wove_http_dev.forks import close_in_forks

_Socket = socket.socket


class Listener:
    """Accepts connections on ``sockets``, which it owns, until it is closed.

    Threads that wait in :meth:`accept` are woken by a byte on a socket pair, not by what happens to
    a listening socket: ``shutdown()`` of it wakes them on Linux only (POSIX leaves that open, BSD
    and macOS raise ENOTCONN: ``soshutdown`` in XNU's bsd/kern/uipc_socket.c), ``close()`` on macOS
    only. A connection to oneself would wake one thread of one socket, and none while the kernel's
    queue of connections is full.
    """

    def __init__(self, sockets: Iterable[socket.socket]) -> None:
        self.sockets = list(sockets)
        self.closed = False
        self._turn = threading.Lock()
        """Held by the thread that waits; the others wait for it, so that one connection wakes one
        thread. They could all wait for the kernel to wake one of them (epoll(7), accept(2)); but
        with 32 requests in flight that took 0.96 to 1.14 × the processor time."""
        self._ready: list[int] = []
        self._poll = select.poll()
        self._by_descriptor = {
            sock.fileno(): (sock, sock.family, sock.type) for sock in self.sockets
        }
        self._reader, self._writer = socket.socketpair()
        try:
            for sock in (self._reader, self._writer):
                close_in_forks(sock)
            for sock in self.sockets:
                # Inherited by each connection: no small packet waits for an acknowledgement.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for sock in (*self.sockets, self._reader):
                # Otherwise accept() would block if the client has closed a ready connection.
                sock.setblocking(False)
                self._poll.register(sock, select.POLLIN)
        except BaseException:
            self.close()
            raise

    def accept(self) -> socket.socket | None:
        """Wait for a connection and return its socket; ``None`` if this was closed. Raises
        :class:`OSError` as accept(2)."""
        with self._turn:
            while not self.closed:
                if not self._ready:
                    self._ready = [descriptor for descriptor, _ in self._poll.poll()]
                sock = self._by_descriptor.get(self._ready.pop())
                if sock is not None:
                    try:
                        return _accepted(*sock)
                    except BlockingIOError:
                        continue
                elif not self.closed:  # other code of this process closed the socket pair
                    raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return None

    def connections(self) -> Iterator[socket.socket]:
        """Yield the socket of each connection, until this is closed. Where :meth:`accept` fails,
        because no descriptor is free, try again every 0.05 s."""
        while not self.closed:
            try:
                sock = self.accept()
            except OSError:
                if not self.closed:
                    time.sleep(0.05)
                continue
            if sock is not None:
                yield sock

    def close(self) -> None:
        """Stop listening, and let every thread that waits return. May be called again."""
        self.closed = True
        with suppress(OSError):
            self._writer.send(b"x")
        with self._turn:  # nothing is closed while a thread waits for it
            close_sockets(*self.sockets, self._reader, self._writer)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _accepted(listener: socket.socket, family: int, kind: int) -> socket.socket:
    # Not socket.accept(), whose result is of the class that ``socket.socket`` is now. That of a
    # guard against network access (pytest-socket) raises, and the descriptor would be lost.
    descriptor, _ = listener._accept()  # type: ignore[attr-defined]
    try:
        sock = _Socket(family, kind, listener.proto, fileno=descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    sock.setblocking(True)  # BSD lets it inherit the listener's O_NONBLOCK
    return sock
