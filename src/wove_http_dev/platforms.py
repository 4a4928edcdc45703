"""The systems on which a worker service runs."""

from __future__ import annotations

import sys

from wove_http_dev.errors import UsageError


def require_posix(what: str) -> None:
    """Raise :class:`UsageError` if this system cannot run ``what``, which the message names.

    It cannot on Windows: two sockets cannot share one descriptor's port there (SO_REUSEADDR lets
    any process take it), a child process gets no socket by its number (``pass_fds``), and files
    have neither an owner nor a mode that would keep a key private.
    """
    if sys.platform == "win32":
        raise UsageError(f"{what} runs on Linux and macOS, not on Windows; use WSL, or a container")
