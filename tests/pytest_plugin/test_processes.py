"""The plugin with ``runner="processes"``, where that differs from threads: a test run in a process
of pytest-xdist, one with the marker, and one of a single test with ``--wove-http-faults``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pytest_plugin.helpers import run_directory_apart
from tests.shared import shared

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


def run_with_processes(directory: Path, name: str, source: str, *arguments: str) -> list[str]:
    """Run the test module ``source`` in ``directory``; return what the run prints."""
    return run_directory_apart(
        directory,
        {name: source, "conftest": CONFTEST},
        "-rA",
        *arguments,
        ini="filterwarnings = error::wove_http_dev.errors.StuckRunWarning\n",
    )


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a run of `SESSION` prints."""
    return shared(
        tmp_path_factory,
        "processes",
        lambda path: run_with_processes(path, "test_session", SESSION, "-n", "1"),
    )


@pytest.fixture(scope="module")
def marker_lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a run of `MARKER` prints."""
    return shared(
        tmp_path_factory,
        "processes-marker",
        lambda path: run_with_processes(path, "test_marker", MARKER),
    )


@pytest.mark.parametrize(
    "test",
    [
        pytest.param("test_session.py::test_elsewhere", id="bodies run in another process"),
        pytest.param("test_session.py::test_process_is_kept", id="a reset keeps the process"),
        pytest.param("test_session.py::test_exit", id="an exit costs the test one task's error"),
        pytest.param("test_session.py::test_exit_with_status_0", id="an exit without an error"),
        pytest.param("test_session.py::test_hanging", id="a body that hangs is killed by a stop"),
        pytest.param("test_session.py::test_after_a_stop", id="a stopped worker comes back"),
    ],
)
def test_passes(lines: list[str], test: str) -> None:
    """The test of the suite that asserts what the id says passes."""
    assert f"PASSED {test}" in lines


@pytest.mark.parametrize(
    "test",
    [
        pytest.param("test_marker.py::test_marker", id="the marker names the runner of a test"),
        pytest.param("test_marker.py::test_factory", id="the factory names that of each worker"),
    ],
)
def test_the_runner_of_a_test(marker_lines: list[str], test: str) -> None:
    """Marker and factory name another runner than the fixture with the options does."""
    assert f"PASSED {test}" in marker_lines


def test_strict(lines: list[str]) -> None:
    """Strict mode fails the test whose hold matched nothing."""
    assert "- no run matched hold('nothing') at test_session.py:" in "\n".join(lines)


def test_runs_are_counted(tmp_path: Path) -> None:
    """A body that runs twice in processes is found by ``--wove-http-faults``."""
    options = ("--wove-http-faults=duplicate-run", "--wove-http-faults-report=report.json")
    test = "test_session.py::test_elsewhere"
    modules = {"test_session": SESSION, "conftest": CONFTEST}
    run_directory_apart(tmp_path, modules, *options, test)
    tests = json.loads((tmp_path / "report.json").read_text())["tests"]
    assert "'pid' ran 2 times" in tests[test]["duplicate-run"]["detail"]
