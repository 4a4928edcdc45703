"""A TCP port that stays reserved across restarts and while connections are refused."""

from __future__ import annotations

import _socket
import errno
import socket

from wove_http_dev.errors import PortInUseError, UsageError
from wove_http_dev.hosts import Host
from wove_http_dev.platforms import require_posix
from wove_http_dev.secret import shown_url
from wove_http_dev.service.listener import Listener
from wove_http_dev.service.reservation import Address, Reservation, reserve

_ATTEMPTS = 20
"""Free ports of one family that are tried, until one is free in the other as well."""
_USE_LOCALHOST = "use localhost, and for a URL of production impersonate, or exec --impersonate URL"
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
"""What ``socket()`` or ``bind()`` says where the machine has no such family."""


class Port:
    """One port number, reserved on every address of ``host`` from construction until
    :meth:`close`.

    ``number=0`` picks a free port. Raises :class:`PortInUseError` if the port is in use on one of
    the addresses, and :class:`UsageError` if one is not of this machine: a client that is given the
    name may connect to any of them.
    """

    def __init__(self, host: str, number: int) -> None:
        require_posix("a worker service")
        if not 0 <= number <= 65535:
            raise UsageError(f"port {number} is not between 0 and 65535")
        self._host = host
        _check_sockets()
        self._reservations: list[Reservation] = []
        try:
            self._reserve(_addresses(host), number)
            self.number = self._reservations[0].number
            self.addresses = [each.address for each in self._reservations]
            """The IP addresses of ``host``, IPv4 first."""
        except BaseException:
            self.close()
            raise

    def _reserve(self, where: list[Address], number: int) -> None:
        rejected: list[Reservation] = []  # closed last, so that each attempt gets another number
        try:
            for _ in range(_ATTEMPTS - 1):
                try:
                    return self._reserve_all(where, number)
                except PortInUseError:
                    if number:
                        raise
                    rejected += self._reservations
                    self._reservations = []
            self._reserve_all(where, number)
        finally:
            for each in rejected:
                each.close()

    def _reserve_all(self, where: list[Address], number: int) -> None:
        for family, address in where:
            try:
                self._reservations += [reserve((family, address), number)]
                number = self._reservations[0].number
            except OSError as exc:
                last = address == where[-1][1] and not self._reservations
                if last or exc.errno not in _ABSENT or not Host(self._host).is_localhost:
                    raise _explain(exc, self._host, address, number) from exc

    def listen(self) -> Listener:
        """Return a new listener on this port."""
        sockets: list[socket.socket] = []
        try:
            for each in self._reservations:
                try:
                    sockets += [each.listen()]
                except OSError as exc:
                    raise _explain(exc, self._host, each.address, self.number) from exc
            return Listener(sockets)
        except BaseException:
            for sock in sockets:
                sock.close()
            raise

    def share(self) -> None:
        """Let a child process listen on the port."""
        for each in self._reservations:
            each.share()

    def close(self) -> None:
        """Release the port."""
        for each in self._reservations:
            each.close()


def _check_sockets() -> None:
    # gevent's and eventlet's sockets wrap a real one, which never blocks: accept() would fail, or
    # hold up every other greenlet. (What a test's guard against network access makes is a socket.)
    if isinstance(socket.socket, type) and not issubclass(socket.socket, _socket.socket):
        raise UsageError(
            f"the worker service cannot use {socket.socket.__module__}.{socket.socket.__name__},"
            " which replaces this process's sockets (monkey patching?); run it in another process:"
            " wove-http-dev exec -- CMD, or serve and pytest --wove-http-url"
        )


def _addresses(host: str) -> list[Address]:
    """Return the addresses of ``host``, IPv4 first.

    Those of ``localhost`` are loopback's of both families, whatever /etc/hosts says (RFC 6761,
    6.3): curl and browsers do not read it, other clients may try ``::1`` first.
    """
    if Host(host).is_localhost:
        found = [(socket.AF_INET, "127.0.0.1")]
        return [*found, (socket.AF_INET6, "::1")] if socket.has_ipv6 else found
    try:
        infos = socket.getaddrinfo(Host(host).name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise UsageError(
            f"host {shown_url(host)!r} does not resolve ({exc}); {_USE_LOCALHOST}"
        ) from exc
    unique = dict.fromkeys((family, str(address[0])) for family, _, _, _, address in infos)
    return sorted(unique, key=lambda each: each[0] != socket.AF_INET)


def _explain(exc: OSError, host: str, address: str, number: int) -> UsageError:
    name, at = (host, "") if Host(host).is_address else (f"{host} ({address})", f" at {address}")
    if exc.errno == errno.EADDRINUSE:
        return PortInUseError(
            f"port {number} on {host} is in use{at}; stop what listens there, or use port=0"
            " (--port 0) for a free one"
        )
    if exc.errno == errno.EADDRNOTAVAIL:
        return UsageError(f"{name} is not an address of this machine; {_USE_LOCALHOST}")
    if exc.errno == errno.EACCES:
        return UsageError(f"port {number} needs privileges; use one above 1023, or port=0")
    if exc.errno == errno.EBADF:
        return UsageError(
            f"other code of this process closed the socket that reserves port {number}; start() the"
            " worker again"
        )
    return UsageError(f"cannot listen on {name}, port {number}: {exc.strerror or exc}")
