"""What differs between platforms: what needs Linux or macOS, and the number of cores."""

from __future__ import annotations

import os
import sys

from wove_http_dev.errors import UsageError


def require_posix(what: str) -> None:
    """Raise :class:`UsageError` on Windows, where ``what`` cannot work; the message names it.

    There SO_REUSEADDR lets any process take a port that another one listens on (Winsock, "Using
    SO_REUSEADDR and SO_EXCLUSIVEADDRUSE"), Python has neither ``poll()`` nor ``pass_fds``, SIGHUP
    nor process groups, and no mode of a file keeps a key private.
    """
    if sys.platform == "win32":
        raise UsageError(f"{what} needs Linux or macOS; on Windows, use WSL or a container")


def cores() -> int:
    """Return the number of cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1
