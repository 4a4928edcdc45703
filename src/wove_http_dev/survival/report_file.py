"""Writes the survival matrix to a file, in the form that its suffix says."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

from wove_http_dev.errors import UsageError
from wove_http_dev.private_files import write_whole
from wove_http_dev.survival.html import html
from wove_http_dev.survival.markdown import markdown
from wove_http_dev.survival.matrix import Matrix


def _json(matrix: Matrix) -> str:
    return json.dumps(matrix.as_json(), indent=1) + "\n"


FORMS: dict[str, Callable[[Matrix], str]] = {".md": markdown, ".html": html, ".json": _json}
"""What makes the text of a report, by the suffix of its file."""


def report_path(text: str, flag: str) -> Path:
    """Return the absolute path of a report that can be written at the end of the session.

    Raises :class:`UsageError`, which names ``flag``, for a suffix without a form, and for a place
    where no file can be written.
    """
    path = Path(text).absolute()
    try:
        why = _why_not(path)
    except (OSError, ValueError) as exc:  # too long; a null byte
        why = str(exc)
    if why is not None:
        raise UsageError(f"{flag} {text}: {why}")
    return path


def _why_not(path: Path) -> str | None:
    """Return why a report cannot be written to ``path``; ``None`` if it can."""
    if path.suffix not in FORMS:
        return f"the name must end in one of {', '.join(FORMS)}"
    if stat.S_ISLNK(mode := _mode(path)):
        return "it is a symbolic link; give the path of a file"
    if mode and not stat.S_ISREG(mode):
        return "it is not a regular file; give the path of a file"
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


def write_report(matrix: Matrix, path: Path) -> None:
    """Write ``matrix`` to ``path``, whole or not at all. Raises :class:`UsageError` if that is not
    possible."""
    content = FORMS[path.suffix](matrix).encode("utf-8")
    try:
        write_whole(path, content)
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror or exc}") from exc
