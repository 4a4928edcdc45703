"""The files of the survival matrix: which can be written, and that they are whole."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.survival.matrices import TEST, large_matrix, matrix_of
from wove_http_dev.errors import UsageError
from wove_http_dev.pytest_plugin.settings import FAULTS_REPORT, OPTIONS
from wove_http_dev.survival.report_file import FORMS, report_path, write_report

FLAG = "--wove-http-faults-report"


@pytest.mark.parametrize(
    ("name", "begin"),
    [("a.md", "# Survival"), ("a.html", "<!doctype html>"), ("a.json", '{\n "version": 1,')],
)
def test_form_by_suffix(tmp_path: Path, name: str, begin: str) -> None:
    """The suffix of the file says the form."""
    path = report_path(str(tmp_path / name), FLAG)
    write_report(matrix_of({TEST: {"hang": "survived"}}), path)
    assert path.read_text(encoding="utf-8").startswith(begin)


def test_json_is_the_matrix(tmp_path: Path) -> None:
    matrix = large_matrix(2)
    write_report(matrix, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text()) == matrix.as_json()


def test_an_older_report_is_replaced(tmp_path: Path) -> None:
    """A report that exists is replaced, and nothing else is left in the directory."""
    path = report_path(str(tmp_path / "a.json"), FLAG)
    path.write_text("older")
    write_report(matrix_of({TEST: {"hang": "survived"}}), path)
    assert json.loads(path.read_text())["version"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_path_does_not_depend_on_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that changes the working directory does not move the report."""
    monkeypatch.chdir(tmp_path)
    path = report_path("a.md", FLAG)
    monkeypatch.chdir("/")
    assert path == tmp_path / "a.md"


class TestRefused:
    """A path that cannot be written is refused before the tests start."""

    @pytest.mark.parametrize("name", ["report", "report.txt", ".json", "a.JSON", ""])
    def test_suffix(self, tmp_path: Path, name: str) -> None:
        """A suffix without a form is refused with those that there are."""
        with pytest.raises(UsageError, match=r"must end in one of .md, .html, .json"):
            report_path(str(tmp_path / name), FLAG)

    def test_no_directory(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"no such directory; make it first"):
            report_path(str(tmp_path / "none" / "a.md"), FLAG)

    def test_directory(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").mkdir()
        with pytest.raises(UsageError, match="not a regular file"):
            report_path(str(tmp_path / "a.md"), FLAG)

    def test_symbolic_link(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").symlink_to(tmp_path / "b.md")
        with pytest.raises(UsageError, match="symbolic link"):
            report_path(str(tmp_path / "a.md"), FLAG)

    def test_directory_that_cannot_be_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
        with pytest.raises(UsageError, match="cannot be written"):
            report_path(str(tmp_path / "a.md"), FLAG)

    def test_flag_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=FLAG):
            report_path(str(tmp_path / "none" / "a.md"), FLAG)

    @pytest.mark.parametrize("name", ["a\0b\n.md", "a" * 300 + ".md", "a\n/b.md"])
    def test_name_that_no_file_can_have(self, name: str) -> None:
        """A name with a null byte, of 300 characters or with a line break is refused in a line."""
        with pytest.raises(UsageError) as caught:
            report_path(name, FLAG)
        assert str(caught.value).isprintable()


def test_directory_that_is_gone(tmp_path: Path) -> None:
    """A place that was lost while the tests ran is one clear error."""
    path = report_path(str(tmp_path / "a.md"), FLAG)
    tmp_path.rmdir()
    with pytest.raises(UsageError, match="cannot write"):
        write_report(matrix_of({}), path)


def test_every_form_has_a_suffix() -> None:
    assert sorted(FORMS) == [".html", ".json", ".md"]


def test_the_help_names_every_suffix() -> None:
    """The help of the option, which does not import the forms, names each."""
    shown = OPTIONS[FAULTS_REPORT]["help"]
    assert [suffix for suffix in FORMS if suffix not in shown] == []
