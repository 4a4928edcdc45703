"""Coverage of task bodies that are defined in a weave, as the plugin's page says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("coverage", reason="coverage is not installed; `tox -e coverage` has it")

SOURCE = """
import pytest
from wove import weave

{marker}
def test_it(wove_http_worker):
    with weave() as w:

        @w.do(environment="workers")
        {define} convert():
            total = 0
            for number in range(3):
                total += number
            if total > 100:
                total = 100
            return total

    assert w.result.convert == 3
"""
BODY = set(range(10, 16))
"""The lines of the body of ``convert``."""
NEVER = 14
"""The line of it that is never reached."""
WITH_COVERAGE = ("-m", "coverage", "run", "--branch", "--include=*/test_app.py", "-m", "pytest")
WITH_PYTEST_COV = ("-m", "pytest", "--cov=.", "--cov-branch", "--cov-report=")


def missing_lines(pytester: pytest.Pytester, command: tuple[str, ...]) -> set[int]:
    """Run test_app.py in a child process; return its lines that coverage did not count."""
    pytester.run(sys.executable, *command, "-p", "no:cacheprovider").assert_outcomes(passed=1)
    report = Path("coverage.json")
    pytester.run(sys.executable, "-m", "coverage", "json", "-o", str(report))
    missing: list[int] = json.loads(report.read_text())["files"]["test_app.py"]["missing_lines"]
    return set(missing)


def write_test(pytester: pytest.Pytester, *, define: str = "def", marker: str = "") -> None:
    pytester.makepyfile(test_app=SOURCE.format(define=define, marker=marker))


@pytest.mark.parametrize("define", ["def", "async def"])
def test_bodies_are_counted(pytester: pytest.Pytester, define: str) -> None:
    """``coverage run -m pytest`` counts every line of the body that was run, and no other."""
    write_test(pytester, define=define)
    assert missing_lines(pytester, WITH_COVERAGE) == {NEVER}


def test_bodies_are_counted_by_pytest_cov(pytester: pytest.Pytester) -> None:
    """``pytest --cov`` counts them too."""
    pytest.importorskip("pytest_cov", reason="pytest-cov is not installed")
    write_test(pytester)
    assert missing_lines(pytester, WITH_PYTEST_COV) == {NEVER}


def test_bodies_of_an_isolated_worker(pytester: pytest.Pytester) -> None:
    """The body that an isolated worker runs is not counted."""
    write_test(pytester, marker="@pytest.mark.wove_http(isolated=True)")
    assert missing_lines(pytester, WITH_COVERAGE) == BODY
