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
from wove_http_dev.platforms import require_posix

_KIND = "a file with an owner and a mode"


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write the file so that a reader finds the old content or the new, never a part of it.

    Raises :class:`UsageError` if ``path`` is a symbolic link.
    """
    require_posix(_KIND)
    if path.is_symlink():
        raise _symlink(path)
    # Created with O_EXCL, O_NOFOLLOW and mode 0600.
    file = tempfile.NamedTemporaryFile(  # noqa: SIM115  # closed before it gets its name
        dir=path.parent, prefix=f".{path.name}-", delete=False
    )
    try:
        with file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        os.replace(file.name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(file.name)
        raise


def write_private(path: Path, content: bytes) -> None:
    """Write the file so that only its owner can read it, otherwise like :func:`write_whole`. Where
    the system can do that, a new file gets its name when it is complete, so that a process that is
    killed leaves no key."""
    if not _write_nameless(path, content):
        write_whole(path, content, 0o600)


def _write_nameless(path: Path, content: bytes) -> bool:
    """Write the new file and return true; return false if ``path`` exists, or if the system cannot
    write a file without a name."""
    if not hasattr(os, "O_TMPFILE"):  # only Linux has it, and not on every file system
        return False
    try:
        with open(path.parent, "wb", opener=_open_nameless) as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o600)
            # open(2), O_TMPFILE. With a descriptor, though it is not used for an absolute path,
            # Python calls linkat(), which follows the symbolic link; link() does not.
            name = f"/proc/self/fd/{file.fileno()}"
            os.link(name, path, src_dir_fd=file.fileno(), follow_symlinks=True)
    except OSError:
        return False
    return True


def read_own(path: Path, *, private: bool) -> bytes:
    """Return the content of a file of this user. Its mode is corrected before: to 0600 if the file
    is ``private`` and others may open it, to 0644 if it is not and everybody may write it.

    Raises :class:`UsageError` for a symbolic link, another user's file, and what is not a file.
    """
    require_posix(_KIND)
    try:
        file = open(path, "rb", opener=_open_to_read)  # noqa: SIM115  # closed below
    except OSError as exc:
        if exc.errno in (errno.ELOOP, errno.EMLINK):  # EMLINK: FreeBSD
            raise _symlink(path) from None
        raise
    with file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a regular file; delete it")
        if status.st_uid != os.geteuid():
            raise UsageError(
                f"{path} belongs to another user (uid {status.st_uid}); use a directory of your own"
            )
        if status.st_mode & (0o077 if private else stat.S_IWOTH):
            os.fchmod(file.fileno(), 0o600 if private else 0o644)
        return file.read()


# Openers, because open() then owns the descriptor at once: an exception between two calls, such as
# that of Ctrl-C, does not lose it.


def _open_to_read(path: str, _: int) -> int:
    # A FIFO without O_NONBLOCK would block until a process writes to it.
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def _open_nameless(directory: str, _: int) -> int:
    return os.open(directory, os.O_WRONLY | os.O_TMPFILE, 0o600)


def _open_to_lock(path: str, _: int) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of ``directory`` during the block; wait first until no other process or thread
    has it. The kernel releases it if the process is killed.

    Raises :class:`UsageError` if there can be no lock: another user made its file, or the file
    system has no locks.
    """
    require_posix(_KIND)
    import fcntl

    path = directory / ".lock"  # not the directory: NFS locks only what is open for writing
    try:
        file = open(path, "rb", opener=_open_to_lock)  # noqa: SIM115  # closed below
    except OSError as exc:
        raise _no_lock(path, exc) from exc
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as exc:
            raise _no_lock(path, exc) from exc
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # a child forked meanwhile has the descriptor too


def _no_lock(path: Path, exc: OSError) -> UsageError:
    return UsageError(f"cannot lock {path} ({exc.strerror}); use another directory")


def _symlink(path: Path) -> UsageError:
    return UsageError(f"{path} is a symbolic link; delete it, or use another directory")
