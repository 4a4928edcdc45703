"""Keeps one (address, port) reserved while nothing listens on it: on Linux, on macOS and BSD.

On each of them, a new connection to the port is refused while nothing listens.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from contextlib import suppress
from typing import Protocol

from wove_http_dev.descriptors import close_sockets
from wove_http_dev.forks import close_in_forks
from wove_http_dev.hosts import Host

BACKLOG = 512
"""Connections that the kernel keeps until they are accepted."""
_CONNECT_TIMEOUT = 10.0
_RST = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 seconds: close() leaves nothing in TIME_WAIT
Address = tuple[socket.AddressFamily, str]
"""A family, and an IP address of this machine."""


class Reservation(Protocol):
    """Reserves one (address, port) from its construction until :meth:`close`."""

    address: str
    number: int
    """The port."""

    def listen(self) -> socket.socket:
        """Return a new listening socket. Raises :class:`OSError`."""

    def share(self) -> None:
        """Let a child process reserve the port too, and listen on it."""

    def close(self) -> None:
        """Release the port. May be called again."""


def reserve(where: Address, number: int) -> Reservation:
    """Reserve the port ``number`` (0: a free one) as this platform requires. Raises
    :class:`OSError`, with ``EADDRINUSE`` for a port in use."""
    return (
        LinuxReservation(where, number)
        if sys.platform == "linux"
        else BsdReservation(where, number)
    )


class LinuxReservation:
    """Reserves the port with a bound socket that never listens. The one that listens is another,
    which can be closed at any time.

    Linux refuses a second bind unless both sockets have SO_REUSEADDR and none of them listens
    (socket(7); ``inet_csk_bind_conflict`` in net/ipv4/inet_connection_sock.c), and answers a
    connection to a socket that does not listen with a reset. So no other process can bind the port,
    with any option, while the reservation is without SO_REUSEADDR. SO_REUSEPORT is never set: every
    process of the same user could then listen too, and would get a part of the connections.
    """

    def __init__(self, where: Address, number: int) -> None:
        self._where, self.address = where, where[1]
        # Connections of an earlier server (TIME_WAIT) may require SO_REUSEADDR for the bind. If it
        # were kept, a second server could reserve the port before this one listens.
        try:
            self._held = _bound(where, number)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE or not number:
                raise
            self._held = _bound(where, number, socket.SO_REUSEADDR)
        try:
            _set(self._held, socket.SO_REUSEADDR, on=False)
            self.number: int = self._held.getsockname()[1]
        except BaseException:
            self.close()
            raise

    def listen(self) -> socket.socket:
        _set(self._held, socket.SO_REUSEADDR)
        try:
            listener = _listening(self._where, self.number, socket.SO_REUSEADDR)
            try:
                _set(self._held, socket.SO_REUSEADDR, on=False)
            except BaseException:
                listener.close()
                raise
        except BaseException:
            _set(self._held, socket.SO_REUSEADDR, on=False)
            raise
        return listener

    def share(self) -> None:
        # From then on, any process that sets it too can bind the port.
        _set(self._held, socket.SO_REUSEADDR)

    def close(self) -> None:
        close_sockets(self._held)


class BsdReservation:
    """Reserves the port with a connected socket whose local port it is. The one that listens is
    another, which can be closed at any time.

    macOS and the BSDs refuse a second bind of an (address, port) unless both sockets have
    SO_REUSEPORT, whatever SO_REUSEADDR says (``in_pcbbind`` in XNU's bsd/netinet/in_pcb.c,
    ``in_pcbbind_setup`` in FreeBSD's sys/netinet/in_pcb.c). SO_REUSEADDR there only decides whether
    sockets that are connected, or bound to the wildcard address, are looked at: one server can have
    the wildcard address, and another one a single address, which then gets the connections. Both
    are refused here, as on Linux.

    A bound socket that does not listen is no reservation on macOS: a new connection to it is
    dropped without a reset (``tcp_input``: "tp state TCPS_CLOSED"), so that clients wait for a
    minute instead of being refused. A connected one takes no new connection; the choice of a free
    port, and a bind without SO_REUSEADDR, still avoid its port. A process that sets SO_REUSEADDR
    can take the port while nothing listens. SO_REUSEPORT is taken back from a socket that listens,
    because another process of the same user could bind the port with it and get the connections.
    """

    def __init__(self, where: Address, number: int) -> None:
        self._where, self.address = where, where[1]
        self._peer: socket.socket | None = None
        try:
            self._held = _bound(where, number)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE or not number:
                raise
            # Connections of an earlier server (TIME_WAIT) may require SO_REUSEADDR. No server has
            # the port if the wildcard address, and loopback for it, can then be bound as well.
            family, address = where
            wildcard = "::" if family == socket.AF_INET6 else "0.0.0.0"
            for each in {wildcard, Host(address).connectable}:
                _bound((family, each), number, socket.SO_REUSEADDR).close()
            self._held = _bound(where, number, socket.SO_REUSEADDR)
        try:
            self.number: int = self._held.getsockname()[1]
            self._peer = _connect_to_itself(self._held, where)
            _set(self._held, socket.SO_REUSEADDR)
            _set(self._held, socket.SO_REUSEPORT)
        except BaseException:
            self.close()
            raise

    def listen(self) -> socket.socket:
        listener = _listening(self._where, self.number, socket.SO_REUSEADDR, socket.SO_REUSEPORT)
        try:
            _set(listener, socket.SO_REUSEPORT, on=False)
        except BaseException:
            listener.close()
            raise
        return listener

    def share(self) -> None:
        return None  # a child process can always bind the port: the socket here is connected

    def close(self) -> None:
        for sock in (self._peer, self._held):
            if sock is not None:
                with suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
                close_sockets(sock)


def _connect_to_itself(held: socket.socket, where: Address) -> socket.socket:
    """Connect ``held`` to a socket of this process, and return that socket."""
    family, address = where
    with _bound((family, Host(address).connectable), 0) as target:
        target.listen(1)
        for sock in (held, target):
            sock.settimeout(_CONNECT_TIMEOUT)
        held.connect(target.getsockname())
        held.settimeout(None)
        while True:  # another process may connect to the free port before
            peer, origin = target.accept()
            try:
                if origin == held.getsockname():
                    peer.settimeout(None)
                    return close_in_forks(peer)
            except BaseException:
                peer.close()
                raise
            peer.close()


def _listening(where: Address, number: int, *options: int) -> socket.socket:
    listener = _bound(where, number, *options)
    try:
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _bound(where: Address, number: int, *options: int) -> socket.socket:
    family, address = where
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        close_in_forks(bound)
        bound.settimeout(None)  # not that of socket.setdefaulttimeout()
        for option in options:
            _set(bound, option)
        if family == socket.AF_INET6:
            # Linux and macOS let "::" take IPv4 connections as well, FreeBSD does not unless
            # asked (ip6(4)), and OpenBSD never does (EINVAL).
            with suppress(OSError):
                only = int(address != "::")
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        bound.bind((address, number))
    except BaseException:
        bound.close()
        raise
    return bound


def _set(sock: socket.socket, option: int, *, on: bool = True) -> None:
    sock.setsockopt(socket.SOL_SOCKET, option, int(on))
