"""The data that the plugin keeps on a test item while the test runs."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import FAILING, PASSING, run

CONFTEST = """
from wove_http_dev.pytest_plugin.stash import PASSED, WORKERS

def pytest_runtest_teardown(item):
    print("STASH", item.stash[PASSED], len(item.stash[WORKERS]))

def pytest_sessionfinish(session):
    print("LEFT", [len(item.stash[WORKERS]) for item in session.items])
"""


@pytest.mark.parametrize(("source", "passed"), [(PASSING, True), (FAILING, False)])
def test_passed(pytester: pytest.Pytester, source: str, passed: bool) -> None:
    """At the teardown ``PASSED`` says whether the test's body passed."""
    pytester.makeconftest(CONFTEST)
    run(pytester, source, "-s").stdout.fnmatch_lines([f"*STASH {passed} 1*"])


def test_workers(pytester: pytest.Pytester) -> None:
    """After the test ``WORKERS`` has no worker."""
    pytester.makeconftest(CONFTEST)
    run(pytester, PASSING, "-s").stdout.fnmatch_lines(["*LEFT ?0?*"])
