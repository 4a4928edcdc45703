"""The file of a report: which can be written, and that it is whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.reports.file import report_path, require_writable, write_text

FLAG = "--report"
FORMS = (".md", ".html", ".json")


class TestRefused:
    """A path that cannot be written is refused before the tests start."""

    @pytest.mark.parametrize("name", ["report", "report.txt", ".json", "a.JSON", ""])
    def test_suffix(self, tmp_path: Path, name: str) -> None:
        """A suffix without a form is refused with those that there are."""
        with pytest.raises(UsageError, match=r"must end in one of .md, .html, .json"):
            report_path(str(tmp_path / name), FLAG, FORMS)

    def test_no_directory(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"no such directory; make it first"):
            report_path(str(tmp_path / "none" / "a.md"), FLAG, FORMS)

    def test_directory(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").mkdir()
        with pytest.raises(UsageError, match="not a regular file"):
            report_path(str(tmp_path / "a.md"), FLAG, FORMS)

    def test_symbolic_link(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").symlink_to(tmp_path / "b.md")
        with pytest.raises(UsageError, match="symbolic link"):
            report_path(str(tmp_path / "a.md"), FLAG, FORMS)

    def test_directory_that_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
        with pytest.raises(UsageError, match="cannot be written"):
            report_path(str(tmp_path / "a.md"), FLAG, FORMS)

    def test_flag_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=FLAG):
            report_path(str(tmp_path / "none" / "a.md"), FLAG, FORMS)

    @pytest.mark.parametrize("name", ["a\0b\n.md", "a" * 300 + ".md", "a\n/b.md"])
    def test_name_that_no_file_can_have(self, name: str) -> None:
        """A name with a null byte, of 300 characters or with a line break is refused in a line."""
        with pytest.raises(UsageError) as caught:
            report_path(name, FLAG, FORMS)
        assert str(caught.value).isprintable()


class TestWrittenInPlace:
    """A path to which nothing can be written is refused; a device or a link is not."""

    def test_directory(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"--json .*: it is a directory"):
            require_writable(str(tmp_path), "--json")

    def test_no_directory(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no such directory; make it first"):
            require_writable(str(tmp_path / "none" / "a"), "--json")

    def test_file_that_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "a").touch()
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
        with pytest.raises(UsageError, match="it cannot be written; choose another file"):
            require_writable(str(tmp_path / "a"), "--json")

    def test_name_that_no_file_can_have(self) -> None:
        with pytest.raises(UsageError):
            require_writable("a" * 300, "--json")

    def test_what_can_be_written(self, tmp_path: Path) -> None:
        """A new file, one that exists, a link to it, and a device can be written."""
        (tmp_path / "old").touch()
        (tmp_path / "link").symlink_to(tmp_path / "old")
        for path in (*(tmp_path / name for name in ("new", "old", "link")), Path(os.devnull)):
            require_writable(str(path), "--json")


def test_directory_that_is_gone(tmp_path: Path) -> None:
    """A place that was lost while the tests ran is one clear error."""
    path = report_path(str(tmp_path / "a.md"), FLAG, FORMS)
    tmp_path.rmdir()
    with pytest.raises(UsageError, match="cannot write"):
        write_text(path, "text")
