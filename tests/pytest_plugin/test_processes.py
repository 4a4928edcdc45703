"""The plugin with ``runner="processes"``, where that differs from threads: a test run in a process
of pytest-xdist, and one of a single test with ``--wove-http-faults``, which several tests read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.pytest_plugin.helpers import (
    run_directory_apart,
    run_pytest,
    shared,
    without_others,
)

CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def wove_http_options():
    return {"runner": "processes", "workers": 1}
"""
BODIES = """
import os
import threading

def ran(function, environment="workers"):
    with weave(error_mode="return") as w:
        w.do(environment=environment)(function)
    return w.result[function.__name__]

def pid():
    return os.getpid()

def ends():
    os._exit(3)

def ends_well():
    os._exit(0)

def hangs():
    threading.Event().wait()
"""
SESSION = f"""{BODIES}
pids = []

def test_elsewhere(wove_http_session_worker):
    pids.append(ran(pid))
    assert pids[0] not in (os.getpid(), None)

def test_process_is_kept(wove_http_session_worker):
    assert ran(pid) in pids

def test_exit(wove_http_session_worker):
    assert "exit status 3" in str(ran(ends))
    assert ran(pid) not in pids
    assert [run.state for run in wove_http_session_worker.runs] == ["failed", "succeeded"]

def test_exit_with_status_0(wove_http_session_worker):
    assert "exit status 0" in str(ran(ends_well))

def test_strict(wove_http_session_worker):
    wove_http_session_worker.hold("nothing")
    ran(pid)

def test_hanging(wove_http_session_worker):
    client = threading.Thread(target=ran, args=[hangs])
    client.start()
    wove_http_session_worker.wait_for("hangs", state="running")
    wove_http_session_worker.stop()
    client.join()

def test_after_a_stop(wove_http_session_worker):
    assert isinstance(ran(pid), int)
"""
MARKER = f"""{BODIES}
@pytest.mark.wove_http(runner="threads", workers=None)
def test_marker(wove_http_worker):
    assert ran(pid) == os.getpid()

def test_factory(wove_http_worker_factory):
    pids = []
    for runner in ("processes", "threads"):
        words = {{"runner": runner, "workers": None}}
        pids.append(ran(pid, wove_http_worker_factory(**words).environment))
    assert [each == os.getpid() for each in pids] == [False, True]
"""


class Suite(NamedTuple):
    """What the run prints, and what is said of ``test_elsewhere`` with the fault."""

    lines: list[str]
    detail: str


def run_suite(directory: Path) -> Suite:
    """Run the suite in ``directory``, and then its first test with a fault."""
    lines = run_directory_apart(
        directory,
        {"test_session": SESSION, "test_marker": MARKER, "conftest": CONFTEST},
        *("-rA", "-n", "1"),
        ini="filterwarnings = error::wove_http_dev.errors.StuckRunWarning\n",
        beside="xdist",
    )
    test = "test_session.py::test_elsewhere"
    options = ("--wove-http-faults=duplicate-run", "--wove-http-faults-report=report.json")
    run_pytest(directory, *without_others(), *options, test)
    tests = json.loads((directory / "report.json").read_text())["tests"]
    return Suite(lines, tests[test]["duplicate-run"]["detail"])


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """The runs."""
    return shared(tmp_path_factory, "processes", run_suite)


@pytest.mark.parametrize(
    "test",
    [
        pytest.param("test_session.py::test_elsewhere", id="bodies run in another process"),
        pytest.param("test_session.py::test_process_is_kept", id="a reset keeps the process"),
        pytest.param("test_session.py::test_exit", id="an exit costs the test one task's error"),
        pytest.param("test_session.py::test_exit_with_status_0", id="an exit without an error"),
        pytest.param("test_session.py::test_hanging", id="a body that hangs is killed by a stop"),
        pytest.param("test_session.py::test_after_a_stop", id="a stopped worker comes back"),
        pytest.param("test_marker.py::test_marker", id="the marker names the runner of a test"),
        pytest.param("test_marker.py::test_factory", id="the factory names that of each worker"),
    ],
)
def test_passes(suite: Suite, test: str) -> None:
    """The test of the suite that asserts what the id says passes."""
    assert f"PASSED {test}" in suite.lines


def test_strict(suite: Suite) -> None:
    """Strict mode fails the test whose hold matched nothing."""
    assert "- no run matched hold('nothing') at test_session.py:" in "\n".join(suite.lines)


def test_runs_are_counted(suite: Suite) -> None:
    """A body that runs twice in processes is found by ``--wove-http-faults``."""
    assert "'pid' ran 2 times" in suite.detail
