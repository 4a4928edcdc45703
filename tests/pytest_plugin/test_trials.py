"""A test that is run again and again: what is kept, what is new, and how a session ends."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import run_apart

TWO = ("--wove-http-faults=status", "--wove-http-faults=html-page")


def test_fixtures(pytester: pytest.Pytester) -> None:
    """Fixtures of a function are new for each run; those of a wider scope are kept until the next
    test no longer needs them."""
    source = """
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
    result = run_apart(pytester, source, "-s", *TWO)
    assert "LOG wide in run out in run out in run out" in result.outlines


def test_a_wider_fixture_that_fails_at_its_end(pytester: pytest.Pytester) -> None:
    """The error of a fixture of a wider scope is one of the last test, once."""
    source = """
@pytest.fixture(scope="module")
def wide():
    yield
    raise ValueError("at the end")

def test_it(wide, wove_http_worker):
    weave_one()
"""
    run_apart(pytester, source, *TWO).assert_outcomes(passed=1, errors=1)


def test_what_is_strict_about_the_run_without_a_fault(pytester: pytest.Pytester) -> None:
    """A test that fails at its end without a fault is an error as ever, and is not tried."""
    source = """
def test_it(wove_http_worker):
    wove_http_worker.hold("anwser")
    weave_one()
"""
    result = run_apart(pytester, source, *TWO)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*not tried: fails without a fault, at teardown*"])


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


def test_a_fault_that_looks_like_ctrl_c(pytester: pytest.Pytester) -> None:
    """A KeyboardInterrupt that a run with a fault raises does not end the session."""
    source = """
def test_it(wove_http_worker):
    try:
        weave_one()
    except Exception:
        raise KeyboardInterrupt

def test_next(wove_http_worker):
    weave_one()
"""
    run_apart(pytester, source, *TWO).assert_outcomes(passed=2)


def test_subtests(pytester: pytest.Pytester) -> None:
    """A part of a unittest that fails in a run with a fault is no failure of the session."""
    source = """
import unittest

class Case(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _worker(self, wove_http_worker):
        pass

    def test_it(self):
        with self.subTest("part"):
            weave_one()
"""
    assert run_apart(pytester, source, *TWO).ret == 0


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
