"""A test that is run again and again: what is kept, what is new, and how a session ends."""

from __future__ import annotations

import re

import pytest

from tests.pytest_plugin.helpers import run_apart, run_directory_apart
from tests.shared import shared

TWO = ("--wove-http-faults=status", "--wove-http-faults=html-page")
FIXTURES = """
log = []

@pytest.fixture(scope="module")
def wide():
    log.append("wide")
    yield
    print("\\nLOG", " ".join(log))

@pytest.fixture
def narrow():
    log.append("in")
    yield
    log.append("out")

def test_it(wide, narrow, wove_http_worker):
    log.append("run")
    weave_one()
"""
FAILING_AT_THE_END = """
@pytest.fixture(scope="module")
def wide():
    yield
    raise ValueError("at the end")

def test_it(wide, wove_http_worker):
    weave_one()
"""
STRICT = """
def test_it(wove_http_worker):
    wove_http_worker.hold("anwser")
    weave_one()
"""
CTRL_C = """
def test_it(wove_http_worker):
    try:
        weave_one()
    except Exception:
        raise KeyboardInterrupt

def test_next(wove_http_worker):
    weave_one()
"""
SUBTESTS = """
import unittest

class Case(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _worker(self, wove_http_worker):
        pass

    def test_it(self):
        with self.subTest("part"):
            weave_one()
"""


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a session prints in which several modules are tried with two faults."""
    modules = {
        "test_ctrl_c": CTRL_C,
        "test_fixtures": FIXTURES,
        "test_strict": STRICT,
        "test_subtests": SUBTESTS,
        "test_wide": FAILING_AT_THE_END,
    }
    return shared(
        tmp_path_factory,
        "trials",
        lambda directory: run_directory_apart(directory, modules, "-s", "-rA", *TWO),
    )


def outcomes(lines: list[str], module: str) -> list[str]:
    """The outcomes in pytest's summary of the tests of ``module``."""
    return [line.split()[0] for line in lines if re.match(rf"\S+ {module}\.py::", line)]


def test_fixtures(lines: list[str]) -> None:
    """Fixtures of a function are new for each run; those of a wider scope are kept until the next
    test no longer needs them."""
    assert "LOG wide in run out in run out in run out" in lines


def test_a_wider_fixture_that_fails_at_its_end(lines: list[str]) -> None:
    """The error of a fixture of a wider scope is one of the last test, once."""
    assert outcomes(lines, "test_wide") == ["PASSED", "ERROR"]


def test_what_is_strict_about_the_run_without_a_fault(lines: list[str]) -> None:
    """A test that fails at its end without a fault is an error as ever, and is not tried."""
    assert outcomes(lines, "test_strict") == ["PASSED", "ERROR"]
    reason = "not tried: fails without a fault, at teardown"
    assert any(reason in line for line in lines)


def test_a_fault_that_looks_like_ctrl_c(lines: list[str]) -> None:
    """A KeyboardInterrupt that a run with a fault raises does not end the session."""
    assert outcomes(lines, "test_ctrl_c") == ["PASSED", "PASSED"]


def test_subtests(lines: list[str]) -> None:
    """A part of a unittest that fails in a run with a fault is no failure of the session."""
    assert outcomes(lines, "test_subtests") == ["PASSED"]


@pytest.mark.parametrize("how", ["signal.raise_signal(signal.SIGINT)", "pytest.exit('enough')"])
def test_an_interrupted_session(pytester: pytest.Pytester, how: str) -> None:
    """After Ctrl-C the verdicts of before are shown, and the session is interrupted."""
    source = f"""
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
runs = []

def test_it(wove_http_worker):
    runs.append(1)
    try:
        weave_one()
    except Exception:
        if len(runs) == 3:
            {how}
        raise
"""
    result = run_apart(pytester, source, *TWO)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*handled*", "*1 cell not tried: the session ended before*"])


def test_a_test_that_waits_for_its_worker(pytester: pytest.Pytester) -> None:
    """A stalled request whose client has given up is released: the end of a schedule waits for the
    worker's runs, and the test does not hang."""
    source = """
from wove_http_dev import Schedule

def test_it(wove_http_worker):
    with Schedule(["status times=1 task=other"]).injected(wove_http_worker):
        weave_one()
"""
    result = run_apart(pytester, source, "--wove-http-faults=hang")
    assert (result.ret, "1 handled" in result.stdout.str()) == (0, True)
