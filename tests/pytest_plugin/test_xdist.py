"""The plugin in the processes of pytest-xdist: one test run, which several tests read."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import DECISIONS, HOSTILE, decisions, run_directory_apart
from tests.shared import shared

OWN_WORKERS = """
@pytest.mark.parametrize("n", range(12))
def test_it(wove_http_worker, n):
    assert weave_one() == 42
    assert len(wove_http_worker.runs) == 1
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a run with two processes prints."""
    modules = {"test_own": OWN_WORKERS, "test_drawing": DECISIONS, "test_hostile": HOSTILE}
    arguments = ("-rA", "-n", "2", "--wove-http-seed=7")
    return shared(
        tmp_path_factory, "xdist", lambda path: run_directory_apart(path, modules, *arguments)
    )


def test_own_workers(lines: list[str]) -> None:
    """Tests in concurrent processes each have their own worker."""
    expected = {f"PASSED test_own.py::test_it[{n}]" for n in range(12)}
    assert expected - {*lines} == set()


def test_report_section_is_printable(lines: list[str]) -> None:
    """What a client without credentials sends is escaped in the report; xdist goes on after it."""
    shown = [line for line in lines if "run_task x" in line]
    assert [r"run_task x\n#9 \x1b[2J\ud800 r -> 401" in line for line in shown] == [True]
    assert "1 failed, 16 passed" in lines[-1]


def test_the_same_seed_decides_the_same(lines: list[str], pytester: pytest.Pytester) -> None:
    """With one seed two processes make the decisions that one process makes."""
    found = {line for line in lines if line.startswith("DECIDED")}
    assert found == decisions(pytester, "--wove-http-seed=7")
