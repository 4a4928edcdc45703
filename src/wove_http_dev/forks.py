"""Sockets that a forked child of this process must not keep.

``fork()`` copies every descriptor (close-on-exec acts later, or never), so a connection that this
process closes would stay open, and a port that it gives back taken, until the child ends too.
"""

from __future__ import annotations

import os
import socket
import weakref
from contextlib import suppress
from typing import TypeVar

_Socket = TypeVar("_Socket", bound=socket.socket)
_sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()


def close_in_forks(sock: _Socket) -> _Socket:
    """Close the copy of ``sock`` in every child that is forked from now on; return ``sock``.

    The child does not end the connection by that: only ``shutdown()`` would.
    """
    _sockets.add(sock)
    return sock


def _close_all() -> None:
    for sock in list(_sockets):
        with suppress(OSError):
            sock.close()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork()
    os.register_at_fork(after_in_child=_close_all)
