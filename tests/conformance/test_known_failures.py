"""Reading lists of cases that are known to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
from wove_http_dev.conformance.known_failures import (
    parse_list,
    read_known_failing,
    read_known_flaky,
    shipped_list,
)
from wove_http_dev.conformance.worker.suite import WORKER_CASES
from wove_http_dev.errors import UsageError


@pytest.mark.parametrize(
    ("python", "globs"), [((3, 10), ["time.01"]), ((3, 11), ["time.01", "time.02"])]
)
def test_a_condition_on_python(python: tuple[int, int], globs: list[str]) -> None:
    """A line with a condition applies only to the Python versions that it names."""
    text = 'time.01  # always\ntime.02 ; python_version >= "3.11"  # since then\n\n# nothing\n'
    assert parse_list(text, "list", EXECUTOR_CASES, python) == globs


@pytest.mark.parametrize(
    ("text", "says"),
    [("no.such", "matches no case"), ("time.01 ; sys.platform == 'x'", "is not a condition")],
)
def test_a_bad_line(text: str, says: str) -> None:
    """A line that cannot be parsed is a usage error."""
    with pytest.raises(UsageError, match=says):
        parse_list(text, "list", EXECUTOR_CASES)


def test_a_wove_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a Wove version without a list, the error names the lists that are shipped."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.1.0")
    with pytest.raises(UsageError, match=r"no list is shipped for wove 9\.1 \(only wove-2\.0"):
        shipped_list(EXECUTOR_CASES)


def test_a_file_for_a_worker_takes_conditions(tmp_path: Path) -> None:
    """A file for ``check worker`` may have conditions too."""
    path = tmp_path / "known"
    path.write_text('run.01 ; python_version < "3.0"\nrun.02 ; python_version >= "3.0"\n')
    assert read_known_failing(str(path), WORKER_CASES) == ["run.02"]


def test_a_bad_file_of_flaky_cases_names_its_option(tmp_path: Path) -> None:
    """The error for a file of cases that fail sometimes names the option that gave it."""
    with pytest.raises(UsageError, match=r"^--known-flaky .*no-such-file: No such file"):
        read_known_flaky(str(tmp_path / "no-such-file"), WORKER_CASES)


def test_a_bad_line_of_flaky_cases_names_its_option(tmp_path: Path) -> None:
    """The error for a line in a file of cases that fail sometimes names the option."""
    path = tmp_path / "flaky"
    path.write_text("run.99\n")
    with pytest.raises(UsageError, match=r"^--known-flaky .*flaky: 'run.99' matches no case"):
        read_known_flaky(str(path), WORKER_CASES)


def test_no_file_is_an_empty_list() -> None:
    """Without the option no case is known to fail."""
    assert read_known_failing(None, WORKER_CASES) == []


def test_a_file_that_is_not_text_is_a_usage_error(tmp_path: Path) -> None:
    """The error for a file that is not text names the file."""
    path = tmp_path / "known"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"known: .*utf-8"):
        read_known_failing(str(path), WORKER_CASES)
