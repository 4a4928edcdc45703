"""A worker in tests whose file system is pyfakefs's."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import run_directory_apart
from tests.shared import shared

FAKE_FILES = """
from pathlib import Path

pytestmark = pytest.mark.wove_http(timeout=60, delivery_timeout=60)  # for a busy machine
ISOLATED = pytest.param(True, marks=pytest.mark.wove_http(isolated=True))
PROCESSES = pytest.mark.wove_http(runner="processes")

@pytest.mark.parametrize("isolated", [False, ISOLATED])
def test_it({fixtures}, isolated):
    assert wove_http_worker.options.isolated is isolated
    Path("/only/here").mkdir(parents=True)
    assert weave_one() == 42

def test_real(wove_http_worker):
    assert weave_one() == 42 and not Path("/only/here").exists()

def weave_with_fault(worker):
    with worker.inject("status"), pytest.raises(Exception):
        weave_one()

def test_fault({fixtures}):
    weave_with_fault(wove_http_worker)

@pytest.mark.wove_http(isolated=True)
def test_real_fault(wove_http_worker):
    weave_with_fault(wove_http_worker)

@PROCESSES
def test_processes({fixtures}):
    assert weave_one() == 42

@PROCESSES
def test_real_processes(wove_http_worker):
    assert weave_one() == 42
"""


TESTS = (
    "test_it[False]",
    "test_it[True]",
    "test_real",
    "test_fault",
    "test_real_fault",
    "test_processes",
    "test_real_processes",
)
ORDERS = {"fs-first": "fs, wove_http_worker", "worker-first": "wove_http_worker, fs"}


@pytest.fixture(scope="module", params=ORDERS)
def lines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a test run with pyfakefs prints, with the fixtures in one order."""
    pytest.importorskip("pyfakefs")
    modules = {"test_it": FAKE_FILES.format(fixtures=ORDERS[request.param])}
    return shared(
        tmp_path_factory,
        f"fake-{request.param}",
        lambda path: run_directory_apart(path, modules, "-rA", beside="fakefs"),
    )


@pytest.mark.parametrize("test", TESTS)
def test_beside_pyfakefs(lines: list[str], test: str) -> None:
    """A worker, also one with a fault or with a process of its own or for its tasks, serves in a
    fake file system, whichever fixture comes first, and after it."""
    assert f"PASSED test_it.py::{test}" in lines, "\n".join(lines)
