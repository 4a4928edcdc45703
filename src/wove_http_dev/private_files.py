"""Files that outlive a process: written whole or not at all, and read only if they are this
user's own.

The directory may be shared with other users (a mode of 1777, a volume of several containers), so a
name in it may be a symbolic link, or another user's file.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wove_http_dev.errors import UsageError


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write the file so that a reader finds the old content or the new, never a part of it.

    Raises :class:`UsageError` if ``path`` is a symbolic link.
    """
    if path.is_symlink():
        raise _symlink(path)
    # mkstemp creates with O_EXCL, O_NOFOLLOW and mode 0600.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise


def write_private(path: Path, content: bytes) -> None:
    """Write the file so that only its owner can read it, otherwise like :func:`write_whole`."""
    write_whole(path, content, 0o600)


def read_own(path: Path, *, private: bool) -> bytes:
    """Read a file of this user. A ``private`` one that others may open gets the mode 0600.

    Raises :class:`UsageError` for a symbolic link, another user's file, and what is not a file.
    """
    try:  # a FIFO without O_NONBLOCK would block until somebody writes to it
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.EMLINK):  # EMLINK: FreeBSD
            raise _symlink(path) from None
        raise
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a regular file; delete it")
        if status.st_uid != os.geteuid():
            raise UsageError(
                f"{path} belongs to another user (uid {status.st_uid}); use a directory of your own"
            )
        if private and status.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
        return file.read()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Wait until no other process or thread has the lock of ``directory``, and keep it for the
    block. The kernel gives it back if the process is killed."""
    import fcntl

    # A file and not the directory itself: NFS locks only what is open for writing.
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a child forked meanwhile has the descriptor too
        os.close(descriptor)


def _symlink(path: Path) -> UsageError:
    return UsageError(f"{path} is a symbolic link; delete it, or use another directory")
