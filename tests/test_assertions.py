"""``assert_contained``: what passes and what fails the test."""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import time
from typing import Any

import pytest
from wove.environment import DeliveryTimeoutError

from tests.support import weave_one
from wove_http_dev import HttpWorker, StrictnessError, UsageError, assert_contained


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


def lines_of(error: pytest.ExceptionInfo[AssertionError]) -> list[str]:
    """The lines of a message before the journal."""
    text, _, _ = str(error.value).partition("\njournal: ")
    return text.splitlines()


@pytest.mark.parametrize(
    ("fault", "what", "why"),
    [
        (
            "task-cancelled",
            "CancelledError:  left the block, which is not an error of Wove's own",
            "it cancels the weave itself: CancelledError, regardless of error_mode",
        ),
        (
            "redirect",
            "an answer came from another server, to which the client was redirected",
            "it follows a redirect, and takes the other server's answer for the worker's",
        ),
    ],
)
def test_what_wove_cannot_contain(
    wove_http_worker: HttpWorker, fault: str, what: str, why: str
) -> None:
    """The message says what was not contained, that it is the installed Wove that cannot contain
    the fault, and why."""
    wove_http_worker.inject(fault)
    with pytest.raises(AssertionError) as caught, assert_contained(wove_http_worker):
        weave_one()
    wove = importlib.metadata.version("wove")
    assert lines_of(caught) == [
        f"not contained: {what}",
        f"Wove {wove} itself cannot contain {fault}: {why}",
    ]


def test_an_answer_from_elsewhere_before_the_block(wove_http_worker: HttpWorker) -> None:
    """A redirect that was followed before the block is not the block's."""
    with wove_http_worker.inject("redirect"):
        weave_one()
    with assert_contained(wove_http_worker):
        weave_one()


def test_a_redirect_that_is_not_followed_is_contained(wove_http_worker: HttpWorker) -> None:
    """A 307 ends in an error of Wove's own."""
    wove_http_worker.inject("redirect", code=307)
    with assert_contained(wove_http_worker) as contained:
        weave_one()
    assert "307" in str(contained.error)


def test_an_expected_error(wove_http_worker: HttpWorker) -> None:
    """An error of an expected type is caught and kept, also one that is not Wove's."""
    wove_http_worker.stub("task", error=ValueError("boom"))
    with assert_contained(wove_http_worker, expect=(KeyError, ValueError)) as contained:
        weave_one()
    assert str(contained.error) == "boom"


def test_an_expected_error_out_of_the_weave(wove_http_worker: HttpWorker) -> None:
    """A CancelledError may be expected."""
    wove_http_worker.inject("task-cancelled")
    with assert_contained(wove_http_worker, expect=asyncio.CancelledError) as contained:
        weave_one()
    assert isinstance(contained.error, asyncio.CancelledError)


def test_another_error_than_expected(wove_http_worker: HttpWorker) -> None:
    """One of Wove's errors that is not the expected one fails the test."""
    wove_http_worker.inject("status")
    with (
        pytest.raises(AssertionError) as caught,
        assert_contained(wove_http_worker, expect=(DeliveryTimeoutError, ValueError)),
    ):
        weave_one()
    assert lines_of(caught) == [
        "not contained: EnvironmentExecutionError: HTTP Error 503: Service Unavailable left the"
        " block, which is not DeliveryTimeoutError or ValueError"
    ]


def test_no_error_where_one_is_expected(wove_http_worker: HttpWorker) -> None:
    """A block that ends without the expected error fails the test."""
    with (
        pytest.raises(AssertionError) as caught,
        assert_contained(wove_http_worker, expect=DeliveryTimeoutError),
    ):
        weave_one()
    assert lines_of(caught) == [
        "not contained: the block ended without an error, which is not DeliveryTimeoutError"
    ]


def test_an_expected_result(wove_http_worker: HttpWorker) -> None:
    """``expect="result"`` is met by a block that ends without an error."""
    with assert_contained(wove_http_worker, expect="result"):
        weave_one()


def test_an_error_where_a_result_is_expected(wove_http_worker: HttpWorker) -> None:
    """With ``expect="result"`` one of Wove's own errors fails the test."""
    wove_http_worker.inject("status")
    with (
        pytest.raises(AssertionError) as caught,
        assert_contained(wove_http_worker, expect="result"),
    ):
        weave_one()
    assert lines_of(caught) == [
        "not contained: EnvironmentExecutionError: HTTP Error 503: Service Unavailable left the"
        " block, which is not a result"
    ]


@pytest.mark.parametrize("expect", ["error", ValueError("x"), (), (ValueError, "result"), int])
def test_an_expectation_of_another_kind(wove_http_worker: HttpWorker, expect: Any) -> None:
    """``expect`` takes types of exceptions or ``"result"``, and says so."""
    with (
        pytest.raises(UsageError, match=r"^expect takes a type of exception, a tuple of them, or"),
        assert_contained(wove_http_worker, expect=expect),
    ):
        raise NotImplementedError


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
    with pytest.raises(AssertionError) as caught, assert_contained(wove_http_worker):
        weave_one()
    wove = importlib.metadata.version("wove")
    assert lines_of(caught) == [
        "not contained: 'task' ran 2 times with the same arguments, more than attempts=1",
        f"Wove {wove} itself cannot contain duplicate-run: its executor does not see that the task"
        " ran twice; only an idempotent task survives that, and attempts=2 allows it",
    ]


def test_runs_before_the_block(wove_http_worker: HttpWorker) -> None:
    """How often the task ran before the block does not count in it: a test may have several."""
    for _ in range(2):
        with assert_contained(wove_http_worker):
            weave_one()
    assert [run.executions for run in wove_http_worker.runs] == [1, 1]


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


@pytest.mark.wove_http(strict=False)
def test_a_call_without_a_block_is_reported(wove_http_worker: HttpWorker) -> None:
    """Strict mode fails a test that calls ``assert_contained()`` like a function."""
    assert_contained(wove_http_worker)
    with pytest.raises(StrictnessError) as caught:
        wove_http_worker.check()
    assert re.search(
        r"^- assert_contained\(\) at .*test_assertions\.py:\d+ has no block, so it checked nothing:"
        r" write with assert_contained\(worker\): …$",
        str(caught.value),
        re.MULTILINE,
    )


def test_a_call_without_a_block_is_forgotten_by_a_reset(wove_http_worker: HttpWorker) -> None:
    """After a reset strict mode does not know of it, and the block can be entered later."""
    contained = assert_contained(wove_http_worker)
    wove_http_worker.reset()
    wove_http_worker.check()
    with contained:
        weave_one()


class Unspeakable(Exception):
    """An exception whose text cannot be made."""

    def __str__(self) -> str:
        """Raise."""
        raise LookupError


def test_an_exception_without_a_text_is_not_contained(wove_http_worker: HttpWorker) -> None:
    """An exception whose ``__str__`` raises fails the test like another."""
    with (
        pytest.raises(AssertionError, match="<Unspeakable whose __str__ raised LookupError>"),
        assert_contained(wove_http_worker),
    ):
        raise Unspeakable
