"""Emulates macOS and the BSDs on Linux, as far as their rules differ in what the package uses.

The rules are those of XNU (``in_pcbbind``, ``soshutdown``, ``tcp_input``, ``accept_nocancel``) and
of their manual pages. Sockets of other processes are not known to the emulation.
"""

from __future__ import annotations

import builtins
import errno
import os
import select
import signal
import socket
import sys
import sysconfig
import urllib.request  # noqa: F401  # on macOS it needs a module that Linux does not have
import weakref
from collections.abc import Callable
from typing import Any

import pytest

ABSENT: tuple[tuple[Any, str], ...] = (
    (os, "eventfd"),
    (os, "memfd_create"),
    (os, "pidfd_open"),
    (os, "sched_getaffinity"),
    (select, "epoll"),
    (signal, "SIGPWR"),
    (signal, "SIGRTMAX"),
    (signal, "SIGRTMIN"),
    (signal, "pidfd_send_signal"),
    (socket, "MSG_NOSIGNAL"),
    (socket, "SOCK_CLOEXEC"),
    (socket, "SOCK_NONBLOCK"),
    (socket, "SO_PEERCRED"),
)
"""What Python has on Linux, and not on macOS."""
WILDCARDS = ("0.0.0.0", "::")


def emulate(patch: pytest.MonkeyPatch) -> None:
    """Give this process macOS's rules, until ``patch`` is undone."""
    sysconfig.get_config_vars()  # read from a file that is named by the platform
    patch.setattr(sys, "platform", "darwin")
    patch.setattr(os, "process_cpu_count", os.cpu_count, raising=False)  # asks sched_getaffinity
    for module, name in ABSENT:
        patch.delattr(module, name, raising=False)
    for module, name in ((builtins, "open"), (os, "open"), (os, "listdir"), (os, "stat")):
        patch.setattr(module, name, _without_proc(getattr(module, name)))
    bound: weakref.WeakSet[socket.socket] = weakref.WeakSet()
    patch.setattr(socket.socket, "bind", _bind(socket.socket.bind, bound))
    patch.setattr(socket.socket, "connect", _connect(socket.socket.connect, bound))
    patch.setattr(socket.socket, "shutdown", _shutdown(socket.socket.shutdown))
    patch.setattr(socket.socket, "_accept", _accept(socket.socket._accept))  # type: ignore[attr-defined]


def _without_proc(function: Callable[..., Any]) -> Callable[..., Any]:
    def without_proc(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if isinstance(path, str) and path.startswith("/proc"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return function(path, *args, **kwargs)

    return without_proc


def _has(sock: socket.socket, option: int) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, option))


def _listens(sock: socket.socket) -> bool:
    return _has(sock, socket.SO_ACCEPTCONN)


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _at(bound: weakref.WeakSet[socket.socket], family: int, number: int) -> list[socket.socket]:
    """The open sockets of this process that were bound to that port."""
    opened = [each for each in list(bound) if each.fileno() >= 0 and each.family == family]
    return [each for each in opened if each.getsockname()[1] == number]


def _bind(real: Callable[..., None], bound: weakref.WeakSet[socket.socket]) -> Callable[..., None]:
    def bind(self: socket.socket, address: Any) -> None:
        if self.family == socket.AF_UNIX:
            if os.fsencode(address).startswith(b"\0"):
                raise FileNotFoundError(errno.ENOENT, "no abstract names")
        elif address[1]:
            all_kinds = not (_has(self, socket.SO_REUSEADDR) or _has(self, socket.SO_REUSEPORT))
            for other in _at(bound, self.family, address[1]):
                host = other.getsockname()[0]
                same = host == address[0]
                if all_kinds:
                    same = same or host in WILDCARDS or address[0] in WILDCARDS
                elif _is_connected(other):
                    same = False
                if same and not (
                    _has(self, socket.SO_REUSEPORT) and _has(other, socket.SO_REUSEPORT)
                ):
                    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        real(self, address)
        bound.add(self)

    return bind


def _connect(
    real: Callable[..., None], bound: weakref.WeakSet[socket.socket]
) -> Callable[..., None]:
    def connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            unconnected = [
                each
                for each in _at(bound, self.family, address[1])
                if not _is_connected(each) and each.getsockname()[0] in (address[0], *WILDCARDS)
            ]
            if unconnected and not any(map(_listens, unconnected)):
                raise TimeoutError(errno.ETIMEDOUT, "dropped by a socket that does not listen")
        real(self, address)

    return connect


def _shutdown(real: Callable[..., None]) -> Callable[..., None]:
    def shutdown(self: socket.socket, how: int) -> None:
        if _listens(self):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        real(self, how)

    return shutdown


def _accept(real: Callable[..., Any]) -> Callable[..., Any]:
    def accept(self: socket.socket) -> Any:
        descriptor, address = real(self)
        os.set_blocking(descriptor, os.get_blocking(self.fileno()))
        return descriptor, address

    return accept
