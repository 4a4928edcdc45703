"""``serve --ready-file``: a file that is there while ``serve`` takes requests, for scripts and
containers that wait for it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wove_http_dev.cli.running import Fields
from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import UsageError
from wove_http_dev.private_files import read_own, write_private


def check_ready_file(path: Path) -> None:
    """Raise :class:`UsageError` if ``path`` cannot be written as a file."""
    if path.is_dir() or path.is_symlink():
        kind = "symbolic link" if path.is_symlink() else "directory"
        raise UsageError(f"--ready-file {path} is a {kind}; name a file")
    if not path.parent.is_dir():
        raise UsageError(f"--ready-file {path}: there is no directory {path.parent}; make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"--ready-file {path}: {path.parent} cannot be written; name another file")


@contextmanager
def ready_file(path: Path, fields: Fields) -> Iterator[None]:
    """Keep the file ``path`` with ``fields`` as JSON, mode 0600, until the block ends. An older
    file is replaced; one that another process has put in its place meanwhile is kept."""
    content = f"{json.dumps(fields)}\n".encode()

    def restore() -> None:
        with suppress(OSError, UsageError):  # removed, or no file of this user any more
            if read_own(path, private=False) == content:
                path.unlink()

    with restored_by(restore):
        write_private(path, content)
        yield
