"""A worker in tests whose file system is pyfakefs's."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import run_apart

FAKE_FILES = """
from pathlib import Path

ISOLATED = pytest.param(True, marks=pytest.mark.wove_http(isolated=True))

@pytest.mark.parametrize("isolated", [False, ISOLATED])
def test_it({fixtures}, isolated):
    assert wove_http_worker.options.isolated is isolated
    Path("/only/here").mkdir(parents=True)
    assert weave_one() == 42

def test_real(wove_http_worker):
    assert weave_one() == 42 and not Path("/only/here").exists()
"""


@pytest.mark.parametrize("fixtures", ["fs, wove_http_worker", "wove_http_worker, fs"])
def test_beside_pyfakefs(pytester: pytest.Pytester, fixtures: str) -> None:
    """A worker, also an isolated one, serves in a fake file system, whichever fixture comes first,
    and after it."""
    pytest.importorskip("pyfakefs")
    source = FAKE_FILES.format(fixtures=fixtures)
    run_apart(pytester, source, beside="fakefs").assert_outcomes(passed=3)
