"""Files of the state directory: whole, private, and this user's own."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.private_files import locked, read_own, write_private, write_whole


def mode_of(path: Path) -> int:
    """The permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file is to be, in a directory of its own."""
    return tmp_path / "f"


class TestWrite:
    """A file is written."""

    def test_content(self, path: Path) -> None:
        """The content is written."""
        write_private(path, b"content")
        assert path.read_bytes() == b"content"

    def test_overwrites_all(self, path: Path) -> None:
        """A longer old content is overwritten whole."""
        write_private(path, b"longer content")
        write_private(path, b"short")
        assert path.read_bytes() == b"short"

    def test_mode_of_an_open_file(self, path: Path) -> None:
        """A file that others could read is private afterwards."""
        path.touch(mode=0o644)
        write_private(path, b"content")
        assert mode_of(path) == 0o600

    def test_mode_despite_the_umask(self, path: Path) -> None:
        """A public file is public whatever the umask."""
        before = os.umask(0o077)
        try:
            write_whole(path, b"content")
        finally:
            os.umask(before)
        assert mode_of(path) == 0o644

    def test_reader_of_the_old_content(self, path: Path) -> None:
        """A reader that has opened the file goes on with the content that it opened."""
        write_whole(path, b"old")
        with path.open("rb") as reader:
            write_whole(path, b"new")
            assert reader.read() == b"old"

    @pytest.mark.parametrize("target", ["target", "absent"])
    def test_symbolic_link(self, tmp_path: Path, path: Path, target: str) -> None:
        """A symbolic link is refused, and its target is left alone."""
        (tmp_path / "target").write_bytes(b"precious")
        path.symlink_to(tmp_path / target)
        with pytest.raises(UsageError, match="symbolic link; delete it"):
            write_private(path, b"content")
        assert [p.read_bytes() for p in tmp_path.iterdir() if not p.is_symlink()] == [b"precious"]

    def test_failure_leaves_no_file(self, tmp_path: Path, path: Path) -> None:
        """A file that cannot be put in its place is not left beside it."""
        path.mkdir()
        with pytest.raises(OSError, match="directory"):
            write_private(path, b"content")
        assert list(tmp_path.iterdir()) == [path]


class TestReadOwn:
    """A file is read if it is this user's own."""

    def test_content(self, path: Path) -> None:
        """The content is returned."""
        path.write_bytes(b"content")
        assert read_own(path, private=True) == b"content"

    @pytest.mark.parametrize(
        ("private", "before", "after"),
        [
            (True, 0o400, 0o400),
            (True, 0o640, 0o600),
            (True, 0o602, 0o600),
            (False, 0o664, 0o664),
            (False, 0o666, 0o644),
        ],
    )
    def test_mode(self, path: Path, private: bool, before: int, after: int) -> None:
        """Permissions that were loosened are mended."""
        path.touch()
        path.chmod(before)
        read_own(path, private=private)
        assert mode_of(path) == after

    def test_symbolic_link(self, tmp_path: Path, path: Path) -> None:
        """A symbolic link is refused."""
        (tmp_path / "target").write_bytes(b"content")
        path.symlink_to(tmp_path / "target")
        with pytest.raises(UsageError, match="symbolic link; delete it"):
            read_own(path, private=False)

    def test_fifo(self, path: Path) -> None:
        """A FIFO is refused at once, although nothing writes to it."""
        os.mkfifo(path)
        with pytest.raises(UsageError, match="not a regular file"):
            read_own(path, private=False)

    def test_another_users(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Another user's file is refused."""
        path.write_bytes(b"content")
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
        with pytest.raises(UsageError, match=r"belongs to another user \(uid \d+\)"):
            read_own(path, private=False)


class TestLocked:
    """One holder of a directory at a time."""

    def test_second_holder_waits(self, tmp_path: Path) -> None:
        """A second thread has the lock when the first has given it back, and not before."""
        order: list[str] = []

        def second() -> None:
            with locked(tmp_path):
                order.append("second")

        thread = threading.Thread(target=second)
        with locked(tmp_path):
            thread.start()
            order.append("first")
        thread.join(60.0)
        assert order == ["first", "second"]

    def test_lock_outlives_no_fork(self, tmp_path: Path) -> None:
        """A child that was forked inside the block does not keep the lock."""
        reader, writer = os.pipe()
        with locked(tmp_path):
            child = os.fork()
            if child == 0:
                os.close(writer)
                os.read(reader, 1)  # until the parent ends its side
                os._exit(0)
        with locked(tmp_path):
            pass
        os.close(writer)
        os.close(reader)
        assert os.waitpid(child, 0) == (child, 0)

    def test_link_in_place_of_the_lock(self, tmp_path: Path) -> None:
        """A symbolic link in place of the lock is not followed."""
        (tmp_path / ".lock").symlink_to(tmp_path / "target")
        with pytest.raises(UsageError, match=r"cannot lock .*/\.lock"), locked(tmp_path):
            pass

    def test_no_locks(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file system without locks is a usage error that says so."""

        def flock(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", flock)
        with pytest.raises(UsageError, match="No locks available"), locked(tmp_path):
            pass


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="this system has no nameless files")
def test_new_private_file_has_no_name_before_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed while it writes a key for the first time leaves no file."""
    seen: list[list[Path]] = []
    link = os.link

    def record(*args: Any, **words: Any) -> None:
        seen.append(list(tmp_path.iterdir()))
        link(*args, **words)

    monkeypatch.setattr(os, "link", record)
    write_private(tmp_path / "key", b"content")
    assert (seen, (tmp_path / "key").read_bytes()) == ([[]], b"content")


def test_file_system_without_nameless_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private file is written where the system refuses files without a name."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "link", refuse)
    write_private(tmp_path / "key", b"content")
    status = (tmp_path / "key").stat()
    assert (stat.S_IMODE(status.st_mode), list(tmp_path.iterdir())) == (0o600, [tmp_path / "key"])
