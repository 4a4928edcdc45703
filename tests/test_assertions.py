"""assert_contained and the wove_http_faults marker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.helpers import weave_one
from wove_http_dev import HttpWorker, UsageError, assert_contained
from wove_http_dev.faults.response import Status


def test_a_result_is_contained(wove_http_worker: HttpWorker) -> None:
    """A block that ends well has no error."""
    with assert_contained(wove_http_worker) as contained:
        weave_one()
    assert contained.error is None


def test_a_transport_error_is_contained(wove_http_worker: HttpWorker) -> None:
    """An error of Wove's is caught and kept."""
    wove_http_worker.inject("status")
    with assert_contained(wove_http_worker) as contained:
        weave_one()
    assert "503" in str(contained.error)


def test_an_escaping_cancellation_is_not_contained(wove_http_worker: HttpWorker) -> None:
    """A CancelledError out of the weave fails the test."""
    wove_http_worker.inject("task-cancelled")
    with (
        pytest.raises(AssertionError, match="CancelledError"),
        assert_contained(wove_http_worker),
    ):
        weave_one()


def test_a_task_that_ran_twice_is_not_contained(wove_http_worker: HttpWorker) -> None:
    """One execution is what was asked for."""
    wove_http_worker.inject("duplicate-run")
    with pytest.raises(AssertionError, match="ran 2 times"), assert_contained(wove_http_worker):
        weave_one()


def test_retries_that_were_asked_for_are_contained(wove_http_worker: HttpWorker) -> None:
    """attempts= allows them."""
    wove_http_worker.inject("lost-response", times=1)
    with assert_contained(wove_http_worker, attempts=2) as contained:
        weave_one(retries=1)
    assert contained.error is None


def test_a_block_that_takes_too_long_is_not_contained(wove_http_worker: HttpWorker) -> None:
    """within= is a bound."""
    with (
        pytest.raises(AssertionError, match="more than 0 s"),
        assert_contained(wove_http_worker, within=0.0),
    ):
        weave_one()


@pytest.mark.wove_http_faults("auth", "status")
def test_the_marker_puts_each_fault_in_force(
    wove_http_worker: HttpWorker, wove_http_fault: str
) -> None:
    """The fault of the id has hit the weave."""
    with assert_contained(wove_http_worker, within=5.0):
        weave_one()
    assert wove_http_worker.exchanges[0].faults == [wove_http_fault]


def test_the_marker_skips_what_cannot_apply(pytester: pytest.Pytester) -> None:
    """A TLS fault on plain http skips with the reason."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.wove_http(tls=False, security="none")
        @pytest.mark.wove_http_faults("self-signed", "wrong-secret", "status")
        def test_it(wove_http_worker):
            pass
        """
    )
    result = pytester.runpytest_subprocess("-rs", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["*self-signed cannot apply: it needs tls=True*"])


@pytest.mark.wove_http_faults("status code=502", Status(code=504))
def test_the_marker_takes_faults_with_fields(
    wove_http_worker: HttpWorker, wove_http_fault: object
) -> None:
    """Each is in force as it was given."""
    with assert_contained(wove_http_worker):
        weave_one()
    assert f"code={wove_http_worker.exchanges[0].status}" in str(wove_http_fault)


def test_skipping_inside_passes_through(wove_http_worker: HttpWorker) -> None:
    """pytest.skip() in the block skips the test."""
    with pytest.raises(pytest.skip.Exception), assert_contained(wove_http_worker):
        pytest.skip("not today")


@pytest.mark.parametrize("words", [{"within": "x"}, {"within": -1}, {"attempts": 0}])
def test_bounds_that_are_none(wove_http_worker: HttpWorker, words: dict[str, Any]) -> None:
    """They are usage errors, before the block runs."""
    with pytest.raises(UsageError), assert_contained(wove_http_worker, **words):
        raise NotImplementedError
