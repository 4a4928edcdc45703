"""``wove_http_session_worker``: one worker for the session, as good as new for each test."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import run


def test_one_start(pytester: pytest.Pytester) -> None:
    """Tests have the same worker, each with an empty journal and without the other's faults."""
    source = """
workers = []

@pytest.mark.parametrize("n", range(3))
def test_it(wove_http_session_worker, n):
    worker = wove_http_session_worker
    assert weave_one() == 42
    assert len(worker.runs) == 1
    worker.inject("empty-body", unused_ok=True)
    worker.stub("answer", result=1, unused_ok=True)
    worker.hold("answer", unused_ok=True)
    workers.append((worker, worker.port))
    assert len(set(workers)) == 1
"""
    run(pytester, source).assert_outcomes(passed=3)


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
@pytest.mark.parametrize("end", ["worker.crash()", "worker.stop()", "crash_by_fault(worker)"])
def test_it_comes_back(pytester: pytest.Pytester, end: str, isolated: bool) -> None:
    """A worker that crashed, or was stopped, serves the next test at the same URL."""
    source = f"""
@pytest.fixture(scope="session")
def wove_http_options():
    return {{"isolated": {isolated}}}

def crash_by_fault(worker):
    worker.inject("crash-before-run")
    with pytest.raises(Exception):
        weave_one()

def test_first(wove_http_session_worker):
    worker = wove_http_session_worker
    pytest.url = worker.url
    {end}

def test_second(wove_http_session_worker):
    assert wove_http_session_worker.url == pytest.url
    assert weave_one() == 42
"""
    run(pytester, source).assert_outcomes(passed=2)


def test_strict(pytester: pytest.Pytester) -> None:
    """The test that went wrong fails, not the next; its error shows the journal once."""
    source = """
def test_first(wove_http_session_worker):
    wove_http_session_worker.hold("anwser")
    weave_one()

def test_second(wove_http_session_worker):
    weave_one()
"""
    result = run(pytester, source)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_first*",
            "strict mode:",
            "- no run matched hold('anwser') at test_strict.py:*; tasks seen: answer;"
            " did you mean 'answer'[?]",
        ]
    )
    assert result.outlines.count("journal: 1 exchange(s)") == 1


def test_report_section(pytester: pytest.Pytester) -> None:
    """The report of a failed test has the worker's section."""
    source = """
def test_it(wove_http_session_worker):
    assert weave_one() == 43
"""
    run(pytester, source).stdout.fnmatch_lines(["*- wove http worker -*", "*run_task answer*"])


def test_configured_during_its_tests(pytester: pytest.Pytester) -> None:
    """Wove is configured for it in the tests that use it, also after one of them configured Wove
    anew, and not in others."""
    source = """
import wove

def test_first(wove_http_session_worker):
    weave_one()

def test_without():
    with pytest.raises(Exception, match="workers"):
        weave_one()

@pytest.mark.wove_http(strict=False)
class TestAnew:
    def test_anew(self, wove_http_session_worker):
        wove_http_session_worker.check()
        wove.config(environments={"workers": {"executor": "local"}})
        with pytest.raises(AssertionError, match="no longer points at this worker"):
            wove_http_session_worker.check()
        pytest.skip("its strict check was in the test")

def test_last(wove_http_session_worker):
    weave_one()
    assert len(wove_http_session_worker.runs) == 1
"""
    run(pytester, source).assert_outcomes(passed=3, skipped=1)


def test_beside_the_worker_of_a_test(pytester: pytest.Pytester) -> None:
    """The worker of a test gets another environment."""
    source = """
def test_it(wove_http_session_worker, wove_http_worker):
    weave_one()
    weave_one("workers-2")
    assert (len(wove_http_session_worker.runs), len(wove_http_worker.runs)) == (1, 1)
"""
    run(pytester, source).assert_outcomes(passed=1)


def test_in_a_fixture_of_a_module(pytester: pytest.Pytester) -> None:
    """A fixture of a wider scope may use it, also with a task of its own."""
    source = """
@pytest.fixture(scope="module")
def app(wove_http_session_worker):
    assert weave_one() == 42
    return wove_http_session_worker

@pytest.mark.parametrize("n", [2, 1])
def test_it(app, n):
    weave_one()
    assert len(app.runs) == n
"""
    run(pytester, source).assert_outcomes(passed=2)


def test_wrong_project_options(pytester: pytest.Pytester) -> None:
    """A mistake in wove_http_options is one line."""
    source = """
@pytest.fixture(scope="session")
def wove_http_options():
    return {"sekurity": "none"}

def test_it(wove_http_session_worker): pass
"""
    run(pytester, source).stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_it*",
            "wove_http_session_worker: wove_http_options: unknown option 'sekurity'; did you mean"
            " 'security'[?]",
        ]
    )
