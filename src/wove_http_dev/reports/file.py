"""The file of a report: whether it can be written, before there is a report, and writing it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from pathlib import Path

from wove_http_dev.errors import UsageError
from wove_http_dev.private_files import write_whole


def report_path(text: str, flag: str, suffixes: Collection[str]) -> Path:
    """Return the absolute path of a report that can be written at the end.

    Raises :class:`UsageError`, which names ``flag``, for another suffix than one of ``suffixes``,
    and for a place where no file can be written.
    """
    path = Path(text).absolute()
    _refuse(text, flag, lambda: _why_not(path, suffixes))
    return path


def require_writable(text: str, flag: str) -> None:
    """Raise :class:`UsageError`, which names ``flag``, if nothing can be written to the path
    ``text``. It may also be what is no regular file, e.g. ``/dev/stdout``."""
    _refuse(text, flag, lambda: _why_not_in_place(Path(text)))


def _refuse(text: str, flag: str, why_not: Callable[[], str | None]) -> None:
    try:
        why = why_not()
    except (OSError, ValueError) as exc:  # too long; a null byte
        why = str(exc)
    if why is not None:
        raise UsageError(f"{flag} {text}: {why}")


def _why_not_in_place(path: Path) -> str | None:
    if path.is_dir():
        return "it is a directory; give the path of a file"
    if path.exists():
        return None if os.access(path, os.W_OK) else "it cannot be written; choose another file"
    return _why_not_beside(path)


def _why_not(path: Path, suffixes: Collection[str]) -> str | None:
    """Return why a report cannot be written to ``path``; ``None`` if it can."""
    if path.suffix not in suffixes:
        return f"the name must end in one of {', '.join(suffixes)}"
    if stat.S_ISLNK(mode := _mode(path)):
        return "it is a symbolic link; give the path of a file"
    if mode and not stat.S_ISREG(mode):
        return "it is not a regular file; give the path of a file"
    return _why_not_beside(path)


def _why_not_beside(path: Path) -> str | None:
    """Return why no file can be made in the directory of ``path``; ``None`` if one can."""
    if not path.parent.is_dir():
        return "there is no such directory; make it first"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return "its directory cannot be written; choose another one"
    return None


def _mode(path: Path) -> int:
    """Return the mode of what ``path`` itself is, 0 if there is nothing."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def write_text(path: Path, content: str) -> None:
    """Write ``content`` to ``path``, whole or not at all. Raises :class:`UsageError` if that is not
    possible."""
    try:
        write_whole(path, content.encode("utf-8"))
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror or exc}") from exc
