"""A TCP port that stays reserved across restarts and while connections are refused.

A bound socket that never listens reserves the port; a second one listens and can be closed at any
time.
"""

from __future__ import annotations

import _socket
import errno
import socket

from wove_http_dev.errors import PortInUseError, UsageError
from wove_http_dev.forks import close_in_forks
from wove_http_dev.options import Host

BACKLOG = 512


class Port:
    """One (address, port), reserved from construction until :meth:`close`.

    ``number=0`` picks a free port. Raises :class:`PortInUseError` if the port is in use, and
    :class:`UsageError` if the host is not an address of this machine.
    """

    def __init__(self, host: str, number: int) -> None:
        if not 0 <= number <= 65535:
            raise UsageError(f"port {number} is not between 0 and 65535")
        self.family, self.address = _resolve(host)
        self._host = host
        _check_sockets()
        self._reservation = self._reserve(host, number)
        try:
            self.number: int = self._reservation.getsockname()[1]
        except BaseException:
            self.close()
            raise

    def _reserve(self, host: str, number: int) -> socket.socket:
        # On Linux no other process can bind the port, with any option, while this socket is bound
        # without SO_REUSEADDR. Connections of an earlier server (TIME_WAIT) may require it; then
        # a process that sets it too can bind.
        try:
            return self._bind(host, number, reuse=False)
        except PortInUseError:
            return self._bind(host, number, reuse=True)

    def _bind(self, host: str, number: int, *, reuse: bool) -> socket.socket:
        bound = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            close_in_forks(bound)
            bound.settimeout(None)  # accept() must not obey socket.setdefaulttimeout()
            _set_reuse(bound, reuse)
            bound.bind((self.address, number))
        except BaseException as exc:
            bound.close()
            if isinstance(exc, OSError):
                raise _explain(exc, host, number) from exc
            raise
        return bound

    def listen(self) -> socket.socket:
        """Return a new listening socket on this port."""
        _set_reuse(self._reservation, True)
        try:
            listener = self._bind(self._host, self.number, reuse=True)
            try:
                listener.listen(BACKLOG)
                _set_reuse(self._reservation, False)
            except BaseException as exc:
                listener.close()
                if isinstance(exc, OSError):
                    raise _explain(exc, self._host, self.number) from exc
                raise
        except BaseException:
            self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            raise
        return listener

    def share(self) -> None:
        """Let a child process listen on the port. From then on, any process that sets SO_REUSEADDR
        can bind it."""
        _set_reuse(self._reservation, True)

    def close(self) -> None:
        """Release the port."""
        self._reservation.close()


def _check_sockets() -> None:
    # gevent's and eventlet's sockets wrap a real one, which never blocks: accept() would fail, or
    # hold up every other greenlet. (What a test's guard against network access makes is a socket.)
    if isinstance(socket.socket, type) and not issubclass(socket.socket, _socket.socket):
        raise UsageError(
            f"the worker service cannot use {socket.socket.__module__}.{socket.socket.__name__},"
            " which replaces this process's sockets (monkey patching?); run it in another process:"
            " wove-http-dev exec -- CMD, or serve and pytest --wove-http-url"
        )


def _set_reuse(sock: socket.socket, reuse: bool) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))


def _resolve(host: str) -> tuple[socket.AddressFamily, str]:
    if Host(host).is_localhost:  # IPv4 like pytest-httpserver, regardless of /etc/hosts
        return socket.AF_INET, "127.0.0.1"
    try:
        found = socket.getaddrinfo(Host(host).name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise UsageError(f"host {host!r} does not resolve ({exc}); use localhost") from exc
    family, _, _, _, address = found[0]
    return family, str(address[0])


def _explain(exc: OSError, host: str, number: int) -> UsageError:
    if exc.errno == errno.EADDRINUSE:
        return PortInUseError(
            f"port {number} on {host} is in use; stop what listens there, or use port=0"
            " (--port 0) for a free one"
        )
    if exc.errno == errno.EADDRNOTAVAIL:
        return UsageError(f"{host} is not an address of this machine; use localhost")
    if exc.errno == errno.EACCES:
        return UsageError(f"port {number} needs privileges; use one above 1023, or port=0")
    return UsageError(f"cannot listen on {host}:{number}: {exc.strerror or exc}")
