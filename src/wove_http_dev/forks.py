"""What a forked child of this process must not keep, sockets and locked files, and must not run.

``fork()`` copies every descriptor (close-on-exec acts later, or never), so a connection that this
process closes would stay open, and a port or a lock that it gives back taken, until the child ends
too.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from typing import Any, Protocol, TypeVar


class _Closable(Protocol):
    def close(self) -> Any: ...


_Opened = TypeVar("_Opened", bound=_Closable)
_opened: weakref.WeakSet[_Closable] = weakref.WeakSet()


def close_in_forks(opened: _Opened) -> _Opened:
    """Close the copy of ``opened``, a socket or an unbuffered file, in every child that is forked
    from now on; return ``opened``.

    The child does not end a connection by that (only ``shutdown()`` would), and releases no lock.
    """
    _opened.add(opened)
    return opened


class ForkedChildExits:
    """Runs the body of a task in its block. If the body forks, its child leaves the block too, and
    exits there with status 0: otherwise it would answer for the service."""

    def __enter__(self) -> None:
        self._process = os.getpid()

    def __exit__(self, *_: object) -> None:
        if os.getpid() != self._process:
            os._exit(0)


def _close_all() -> None:
    for opened in list(_opened):
        with suppress(OSError):
            opened.close()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork()
    os.register_at_fork(after_in_child=_close_all)
