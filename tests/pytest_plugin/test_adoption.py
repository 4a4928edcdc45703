"""``wove_http_adopt``: a worker that a fixture of the user's own starts."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import run

SUITE = """
from wove_http_dev import HttpWorker

@pytest.fixture(scope="{scope}")
def mine(wove_http_adopt):
    with HttpWorker({options}) as worker, worker.configured():
        assert wove_http_adopt(worker) is worker
        yield worker
{tests}
"""
SCOPES = ["function", "class", "module", "session"]


def suite(tests: str, scope: str = "function", options: str = "") -> str:
    """``tests``, with a fixture ``mine`` that adopts a worker."""
    return SUITE.format(tests=tests, scope=scope, options=options)


@pytest.mark.parametrize("scope", SCOPES)
def test_report(pytester: pytest.Pytester, scope: str) -> None:
    """A test that fails shows the worker's report, also if another test has started it."""
    tests = """
def test_first(mine):
    pass

def test_it(mine):
    assert weave_one() == 43
"""
    result = run(pytester, suite(tests, scope))
    result.stdout.fnmatch_lines(["*- wove http worker -*", "*run_task answer*"])


@pytest.mark.parametrize("scope", SCOPES)
def test_strict(pytester: pytest.Pytester, scope: str) -> None:
    """Strict mode checks the worker when its fixture ends, once."""
    tests = """
def test_it(mine):
    refused(mine)

def test_other():
    pass
"""
    result = run(pytester, suite(tests, scope))
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*a request was refused and no fault explains it*"])


def test_in_a_test(pytester: pytest.Pytester) -> None:
    """A test may adopt a worker itself."""
    source = """
from wove_http_dev import HttpWorker

def test_it(wove_http_adopt):
    with HttpWorker() as worker, worker.configured():
        wove_http_adopt(worker)
        refused(worker)
"""
    run(pytester, source).assert_outcomes(passed=1, errors=1)


def test_opting_out_of_strict_mode(pytester: pytest.Pytester) -> None:
    """``strict=False`` on the worker is respected."""
    source = suite("def test_it(mine):\n    refused(mine)", options="strict=False")
    run(pytester, source).assert_outcomes(passed=1)


def test_other_tests(pytester: pytest.Pytester) -> None:
    """A worker of a wider scope does not belong to a test that does not request its fixture."""
    tests = """
def test_it(mine):
    pass

def test_other(wove_http_adopt):
    assert 0
"""
    assert "wove http worker -" not in run(pytester, suite(tests, "module")).stdout.str()


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("def test_it(wove_http_adopt):\n    wove_http_adopt(7)", "takes an HttpWorker, not int"),
        (
            "def test_it(request):\n    from wove_http_dev import HttpWorker\n"
            "    request.getfixturevalue('wove_http_adopt')(HttpWorker())",
            "must be among the arguments",
        ),
    ],
    ids=["kind", "dynamic"],
)
def test_refused(pytester: pytest.Pytester, test: str, message: str) -> None:
    """What cannot be adopted is one line."""
    result = run(pytester, test)
    result.stdout.fnmatch_lines([f"*wove_http_adopt {message}*"])
