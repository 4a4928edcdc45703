"""The executor cases as pytest tests: ``pytest --pyargs
wove_http_dev.conformance.test_executor_cases``."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import without_others
from wove_http_dev.conformance.executor import suite  # noqa: F401 (see below)

# A run of pytest in this process forgets what it imports, and what it needs takes long to import;
# cryptography cannot be imported twice.
pytestmark = pytest.mark.usefixtures("wove_http_ca")
MINE = """
from wove.environment import HttpEnvironmentExecutor

class Mine(HttpEnvironmentExecutor):
    pass
"""


def run(pytester: pytest.Pytester, expression: str, *words: str) -> pytest.RunResult:
    """Run pytest in this process on the cases that match ``expression``."""
    module = "wove_http_dev.conformance.test_executor_cases"
    return pytester.runpytest_inprocess(
        *without_others(), "--pyargs", module, "-k", expression, "-rsxfE", *words
    )


def test_the_outcomes_of_cases(pytester: pytest.Pytester) -> None:
    """A case that passes is a passed test, a MUST that fails a failed one with the text of the
    report, and a SHOULD that fails an expected failure. The module is found in the working
    directory."""
    pytester.makepyfile(mine=MINE)
    expression = "frames.02 or security.01 or frames.12"
    result = run(pytester, expression, "--wove-http-executor", "mine:Mine")
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"], outcomes["xfailed"]) == (1, 1, 1)
    result.stdout.fnmatch_lines(["*security.01-redirect-301-credentials (MUST*"])


def test_what_an_executor_of_wove_is_known_to_fail(pytester: pytest.Pytester) -> None:
    """A MUST that Wove's own executor is known to fail is an expected failure."""
    result = run(pytester, "security.01 or frames.02", "--wove-http-executor", "http")
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["xfailed"], result.ret) == (1, 1, 0)


def test_an_executor_that_cannot_be_imported(pytester: pytest.Pytester) -> None:
    """A wrong name is an error of the tests that says what is wrong."""
    result = run(pytester, "frames.02", "--wove-http-executor", "nothing")
    result.stdout.fnmatch_lines(["*--wove-http-executor: 'nothing' is not MODULE:FACTORY*"])
