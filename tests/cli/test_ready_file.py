"""``--ready-file``: the file that says that ``serve`` takes requests."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from wove_http_dev.cli.ready_file import check_ready_file, ready_file
from wove_http_dev.cli.running import Fields
from wove_http_dev.errors import UsageError

FIELDS: Fields = {"url": "https://localhost:8443/wove/tasks", "pid": 7}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ready.json"


def test_content(path: Path) -> None:
    """The file has the fields as JSON."""
    with ready_file(path, FIELDS):
        assert json.loads(path.read_text()) == FIELDS


def test_end(path: Path) -> None:
    """It is removed at the end of the block."""
    with ready_file(path, FIELDS):
        pass
    assert not path.exists()


def test_private(path: Path) -> None:
    """Only its owner can read it."""
    with ready_file(path, FIELDS):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_older_file(path: Path) -> None:
    """The file of a process that was killed is replaced."""
    path.write_text("old")
    with ready_file(path, FIELDS):
        assert json.loads(path.read_text()) == FIELDS


def test_older_file_is_private(path: Path) -> None:
    """A file that replaces an older one has a mode of its own."""
    path.write_text("old")
    with ready_file(path, FIELDS):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_replaced(path: Path) -> None:
    """The file of a process that has replaced it is kept."""
    with ready_file(path, FIELDS):
        path.unlink()
        path.write_text("another's")
    assert path.read_text() == "another's"


def test_removed(path: Path) -> None:
    """It may have been removed by somebody else."""
    with ready_file(path, FIELDS):
        path.unlink()
    assert not path.exists()


def test_nothing_else_is_left(path: Path) -> None:
    """No unfinished file is left beside it."""
    path.write_text("old")
    with ready_file(path, FIELDS):
        pass
    assert list(path.parent.iterdir()) == []


def test_usable(path: Path) -> None:
    """A file that can be written is not refused, and not written."""
    check_ready_file(path)
    assert not path.exists()


def test_directory(path: Path) -> None:
    """A directory is refused."""
    with pytest.raises(UsageError, match="is a directory; name a file"):
        check_ready_file(path.parent)


def test_symbolic_link(path: Path) -> None:
    """A symbolic link is refused: its target may be any file."""
    path.symlink_to("elsewhere")
    with pytest.raises(UsageError, match="is a symbolic link; name a file"):
        check_ready_file(path)


def test_no_directory(path: Path) -> None:
    """A file in a directory that does not exist is refused."""
    with pytest.raises(UsageError, match=r"there is no directory .*; make it first"):
        check_ready_file(path / "below")


def test_directory_that_cannot_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in a directory that this user cannot write is refused."""
    monkeypatch.setattr("os.access", lambda *_: False)  # root can write everywhere
    with pytest.raises(UsageError, match="cannot be written; name another file"):
        check_ready_file(path)
