"""What is said where a process has no free file descriptor, how that is recognised; and how sockets
are closed whose descriptors other code may have closed."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress

ADVICE = (
    "the process has no free file descriptor: close what the tests leave open, or raise the limit"
    " (ulimit -n)"
)


def none_free(exc: BaseException) -> bool:
    """Whether ``exc`` says that the process, or the system, has no free descriptor."""
    return isinstance(exc, OSError) and exc.errno in (errno.EMFILE, errno.ENFILE)


def require_descriptor() -> None:
    """Raise the ``OSError`` of the system if there is no free descriptor. ``tempfile`` hides it: it
    then reports that there is no usable temporary directory."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as exc:
        if none_free(exc):  # otherwise a process without /dev/null, which needs none
            raise


def close_sockets(*sockets: socket.socket) -> None:
    """Close each of ``sockets``, whatever the system says of one: after ``os.closerange()``, as
    code that makes a daemon calls it, that is EBADF."""
    for sock in sockets:
        with suppress(OSError):
            sock.close()
