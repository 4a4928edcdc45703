"""What is said where a process has no free file descriptor, and how that is recognised."""

from __future__ import annotations

import errno
import os

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
