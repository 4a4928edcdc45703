"""The code that ``check worker`` and ``check executor`` share: selecting cases, writing reports."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests.cli.commands import run
from tests.conformance.reporters.results import case, result
from wove_http_dev.cli.check import add_report_options, chosen_cases, finish
from wove_http_dev.conformance.case import FAILED, PASSED, Report, Status
from wove_http_dev.errors import UsageError

CASES = [case("01"), case("02")]


def parsed(*words: str) -> argparse.Namespace:
    """Parse the options in ``words``."""
    parser = argparse.ArgumentParser()
    add_report_options(parser)
    return parser.parse_args(words)


def chosen(*words: str) -> list[str]:
    """Return the numbers of the cases that ``words`` select."""
    return [one.number for one in chosen_cases(parsed(*words), CASES)]


def test_all_cases() -> None:
    """Without an option every case is selected."""
    assert chosen() == ["01", "02"]


def test_run() -> None:
    """``--run`` selects the cases that match one of its globs."""
    assert chosen("--run", "made-up.01", "--run", "*.01") == ["01"]


def test_exclude() -> None:
    """``--exclude`` leaves out the cases that match."""
    assert chosen("--exclude", "*.01") == ["02"]


def test_no_case() -> None:
    """A selection that leaves no case is a usage error."""
    with pytest.raises(UsageError, match="no case is left"):
        chosen("--exclude", "made-up")


@pytest.mark.parametrize("flag", ["--run", "--exclude"])
def test_a_glob_that_matches_no_case(flag: str) -> None:
    """A misspelt glob is a usage error that names it, also beside one that matches."""
    with pytest.raises(UsageError, match=f"{flag} 'nothing' matches no case; --list shows them"):
        chosen(flag, "made-up.01", flag, "nothing")


@pytest.mark.parametrize("flag", ["--run", "--exclude"])
def test_a_misspelt_case(flag: str) -> None:
    """Of a word that is almost one of the cases, the error says which was probably meant."""
    with pytest.raises(UsageError, match=f"{flag} 'made-up.1' matches no case; did you mean 'm"):
        chosen(flag, "made-up.1")


@pytest.mark.parametrize("flag", ["--json", "--junit-xml"])
def test_report_in_a_missing_directory(flag: str, tmp_path: Path) -> None:
    """A report that could not be written is a usage error before the check runs."""
    with pytest.raises(UsageError, match=f"{flag} .*: there is no such directory"):
        chosen(flag, str(tmp_path / "missing" / "report"))


def test_report_of_another_form(tmp_path: Path) -> None:
    """A report for people whose name ends otherwise is a usage error before the check runs."""
    with pytest.raises(UsageError, match=r"--report .*: the name must end in one of .md, .html"):
        chosen("--report", str(tmp_path / "report.txt"))


@pytest.mark.parametrize(("status", "exit_status"), [(PASSED, 0), (FAILED, 1)])
def test_finish(status: Status, exit_status: int) -> None:
    """The exit status is 1 if a case failed, otherwise 0."""
    assert finish(parsed(), Report("a worker", [result(status)])) == exit_status


def test_finish_writes(tmp_path: Path) -> None:
    """A report is written for each option that names a file."""
    names = [str(tmp_path / f"report.{suffix}") for suffix in ("json", "xml", "md", "html")]
    flags = ("--json", "--junit-xml", "--report", "--report")
    words = [word for pair in zip(flags, names, strict=True) for word in pair]
    finish(parsed(*words), Report("a worker", [result()]))
    assert all(Path(name).stat().st_size for name in names)


def test_the_reports_do_not_depend_on_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An executor that changes the working directory does not move the reports."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    namespace = parsed("--json", "a.json", "--junit-xml", "a.xml", "--report", "a.md")
    monkeypatch.chdir(tmp_path / "elsewhere")
    finish(namespace, Report("an executor", [result()]))
    assert sorted(path.name for path in tmp_path.glob("a.*")) == ["a.json", "a.md", "a.xml"]


def test_finish_cannot_write(tmp_path: Path) -> None:
    """A report that cannot be written is a usage error that names its option."""
    with pytest.raises(UsageError, match=r"--json .*: Is a directory"):
        finish(parsed("--json", str(tmp_path)), Report("a worker", [result()]))


def test_check_of_nothing() -> None:
    """``check`` alone prints its help, with exit status 2."""
    done = run("check")
    assert done.returncode == 2
    assert "usage: wove-http-dev check" in done.stdout
