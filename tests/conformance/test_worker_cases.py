"""The worker cases as pytest tests: ``pytest --pyargs wove_http_dev.conformance``."""

from __future__ import annotations

import pytest

from tests.conformance.worker.defects.frames import OwnTaskId
from tests.conformance.worker.defects.transport import TextHtml
from tests.conformance.worker.plain_worker import SECRET, PlainWorker
from tests.pytest_plugin.helpers import without_others
from wove_http_dev.conformance.worker.suite import WORKER_CASES

VARIABLE = "CONFORMANCE_TEST_SECRET"
OTHERS = len(WORKER_CASES)
"""Tests that are left out when one is chosen: the other cases, and the one for an executor."""


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the workers' secret into the variable that --wove-http-secret-env names."""
    monkeypatch.setenv(VARIABLE, SECRET)


def run(pytester: pytest.Pytester, expression: str, *words: str) -> pytest.RunResult:
    """Run pytest in this process on the cases that match ``expression``."""
    options = ("--pyargs", "wove_http_dev.conformance", "-k", expression, "-rsx")
    return pytester.runpytest_inprocess(*without_others(), *options, *words)


def against(worker: PlainWorker) -> tuple[str, ...]:
    """Return the options that name ``worker``."""
    return "--wove-http-url", worker.url, "--wove-http-secret-env", VARIABLE


def test_each_case_is_a_test(pytester: pytest.Pytester) -> None:
    """Each case is a test; a case that does not apply is skipped."""
    with PlainWorker() as worker:
        result = run(pytester, "auth.0", *against(worker))
    result.assert_outcomes(passed=8, skipped=1, deselected=OTHERS - 8)


@pytest.mark.parametrize("form", ["flag", "ini"])
def test_secret_in_a_file(pytester: pytest.Pytester, form: str) -> None:
    """The secret of a service may be in a file, and options may be in the ini file."""
    pytester.path.joinpath("secret").write_text(SECRET)
    with PlainWorker() as worker:
        words = [f"--wove-http-url={worker.url}", "--wove-http-secret-file=secret"]
        if form == "ini":
            pytester.makeini(
                f"[pytest]\nwove_http_url = {worker.url}\nwove_http_secret_file = secret"
            )
            words = ["--rootdir=.", "-c", "tox.ini"]
        result = run(pytester, "auth.01", *words)
    result.assert_outcomes(passed=1, deselected=OTHERS)


def test_a_must_that_fails_is_a_failure(pytester: pytest.Pytester) -> None:
    """A MUST that fails is a failed test, with the text of the report."""
    with OwnTaskId() as worker:
        result = run(pytester, "frames.04", *against(worker))
    result.assert_outcomes(failed=1, deselected=OTHERS)
    result.stdout.fnmatch_lines(["*has a wrong task_id*"])


def test_a_should_that_fails_is_an_expected_failure(pytester: pytest.Pytester) -> None:
    """A SHOULD that fails is reported as xfail, and does not fail the run."""
    with TextHtml() as worker:
        result = run(pytester, "transport.03", *against(worker))
    result.assert_outcomes(xfailed=1, deselected=OTHERS)


def test_without_a_url_the_cases_are_skipped(pytester: pytest.Pytester) -> None:
    """Without a URL, or an executor, the cases are skipped, and the reason names the option."""
    result = run(pytester, "run.01 or test_executor_case")
    result.assert_outcomes(skipped=2, deselected=OTHERS - 1)
    result.stdout.fnmatch_lines_random(["*give --wove-http-url*", "*give --wove-http-executor*"])


def test_a_dead_service_fails_with_the_reason(pytester: pytest.Pytester) -> None:
    """If nothing listens at the URL, the test fails with the message of the prerequisite."""
    result = run(pytester, "run.01", "--wove-http-url", "http://127.0.0.1:1/x")
    result.assert_outcomes(errors=1, deselected=OTHERS)
    result.stdout.fnmatch_lines(["*transport.01-reachable*the connection was refused*"])
