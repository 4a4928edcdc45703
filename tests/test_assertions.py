"""``assert_contained``: what passes and what fails the test."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support import weave_one
from wove_http_dev import HttpWorker, UsageError, assert_contained


def test_a_result_is_contained(wove_http_worker: HttpWorker) -> None:
    """A block without an exception has no error."""
    with assert_contained(wove_http_worker) as contained:
        weave_one()
    assert contained.error is None


def test_a_transport_error_is_contained(wove_http_worker: HttpWorker) -> None:
    """One of Wove's own errors is caught and kept as ``error``."""
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


def test_an_error_of_the_task_is_not_contained(wove_http_worker: HttpWorker) -> None:
    """An error that is not Wove's own fails the test."""
    wove_http_worker.stub("task", error=ValueError("boom"))
    with (
        pytest.raises(AssertionError, match="ValueError: boom left the block"),
        assert_contained(wove_http_worker),
    ):
        weave_one()


def test_the_seconds_of_a_block(wove_http_worker: HttpWorker) -> None:
    """The block's duration is kept as ``seconds``."""
    with assert_contained(wove_http_worker) as contained:
        time.sleep(0.05)
    assert contained.seconds >= 0.05


def test_a_failed_assertion_passes_through(wove_http_worker: HttpWorker) -> None:
    """A failed assertion in the block keeps its message."""
    with pytest.raises(AssertionError, match=r"^own$"), assert_contained(wove_http_worker):
        raise AssertionError("own")


def test_a_task_that_ran_twice_is_not_contained(wove_http_worker: HttpWorker) -> None:
    """A task that ran more often than ``attempts`` fails the test."""
    wove_http_worker.inject("duplicate-run")
    with pytest.raises(AssertionError, match="ran 2 times"), assert_contained(wove_http_worker):
        weave_one()


def test_expected_retries_are_contained(wove_http_worker: HttpWorker) -> None:
    """``attempts=2`` allows two runs."""
    wove_http_worker.inject("lost-response", times=1)
    with assert_contained(wove_http_worker, attempts=2) as contained:
        weave_one(retries=1)
    assert contained.error is None


def test_a_block_that_takes_too_long_is_not_contained(wove_http_worker: HttpWorker) -> None:
    """A block that takes longer than ``within`` fails the test."""
    with (
        pytest.raises(AssertionError, match="more than 0 s"),
        assert_contained(wove_http_worker, within=0.0),
    ):
        weave_one()


def test_skipping_inside_passes_through(wove_http_worker: HttpWorker) -> None:
    """``pytest.skip()`` in the block skips the test."""
    with pytest.raises(pytest.skip.Exception), assert_contained(wove_http_worker):
        pytest.skip("not today")


@pytest.mark.parametrize("words", [{"within": "x"}, {"within": -1}, {"attempts": 0}])
def test_invalid_bounds_are_a_usage_error(
    wove_http_worker: HttpWorker, words: dict[str, Any]
) -> None:
    """Invalid bounds are a usage error before the block runs."""
    with pytest.raises(UsageError), assert_contained(wove_http_worker, **words):
        raise NotImplementedError


def test_what_is_no_worker() -> None:
    """Anything but a worker is a usage error that shows the call."""
    with (
        pytest.raises(UsageError, match=r"assert_contained\(wove_http_worker\), not None"),
        assert_contained(None),  # type: ignore[arg-type]
    ):
        raise NotImplementedError
