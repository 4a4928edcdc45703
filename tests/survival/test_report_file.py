"""The files of the survival matrix: which can be written, and that they are whole."""

from __future__ import annotations

import json
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


def test_another_suffix(tmp_path: Path) -> None:
    """A suffix without a form is refused, with those that there are, by the name of the flag."""
    with pytest.raises(UsageError, match=rf"{FLAG} .* must end in one of .md, .html, .json"):
        report_path(str(tmp_path / "a.txt"), FLAG)


def test_every_form_has_a_suffix() -> None:
    assert sorted(FORMS) == [".html", ".json", ".md"]


def test_the_help_names_every_suffix() -> None:
    """The help of the option, which does not import the forms, names each."""
    shown = OPTIONS[FAULTS_REPORT]["help"]
    assert [suffix for suffix in FORMS if suffix not in shown] == []
