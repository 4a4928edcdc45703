"""`WeaveOutcome`: how one task of a weave ended."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from wove import weave
from wove.environment import DeliveryTimeoutError, EnvironmentExecutionError

from wove_http_dev.weave_outcome import (
    WeaveOutcome,
    read_outcome,
    run_one_weave,
    task_returning,
    wove_errors,
)

LOCAL = None
"""Wove's default environment: the task runs in this process."""


def fails_with_a_key() -> None:
    raise KeyError("fails_with_a_key")


def test_a_result() -> None:
    """The outcome of a task that returned has its value."""
    outcome = run_one_weave((1, 2), LOCAL)
    assert (outcome.kind, outcome.value) == ("result", (1, 2))


def test_an_error() -> None:
    """The outcome of a task that raised has its exception, even a KeyError with the task's name."""
    outcome = run_one_weave(fails_with_a_key, LOCAL)
    assert (outcome.kind, type(outcome.error)) == ("error", KeyError)


def test_an_exception_that_leaves_the_weave() -> None:
    """An exception that leaves the weave is an outcome too."""
    outcome = run_one_weave(1, "no such environment")
    assert outcome.kind == "raised"


def test_a_task_that_has_nothing() -> None:
    """The outcome of an unknown task is neither a result nor an error."""
    with weave() as w:
        w.do(task_returning(1))
    assert read_outcome(w.result, "other").kind == "nothing"


def test_an_interrupt_passes_through() -> None:
    """KeyboardInterrupt is raised, not turned into an outcome."""

    def interrupted() -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_one_weave(interrupted, LOCAL)


def test_the_seconds_are_those_of_the_weave() -> None:
    """``seconds`` is the duration of the weave, including its task."""

    def sleeps() -> None:
        time.sleep(0.05)

    assert run_one_weave(sleeps, LOCAL).seconds >= 0.05


def test_the_name_of_the_task() -> None:
    """The task that returns a given value has the given name."""
    assert task_returning(1, "render").__name__ == "render"


def test_reading_a_result() -> None:
    """result() returns the value."""
    assert WeaveOutcome("result", 7).result() == 7


def test_reading_an_error() -> None:
    """result() raises the error."""
    with pytest.raises(ValueError, match="boom"):
        WeaveOutcome("error", error=ValueError("boom")).result()


def test_reading_nothing() -> None:
    """result() raises LookupError if the outcome is neither a result nor an error."""
    with pytest.raises(LookupError):
        WeaveOutcome("nothing").result()


@pytest.mark.parametrize(
    ("error", "expected"), [(None, False), (ValueError(), False), (asyncio.CancelledError(), True)]
)
def test_what_escapes(error: BaseException | None, expected: bool) -> None:
    """An error that is not an Exception is marked as one that ends the program."""
    assert WeaveOutcome("error", error=error).escapes is expected


@pytest.mark.parametrize(
    ("error", "expected"), [(DeliveryTimeoutError("late"), True), (TimeoutError(), False)]
)
def test_what_timed_out(error: Exception, expected: bool) -> None:
    """Only the end of the delivery_timeout is marked as such."""
    assert WeaveOutcome("error", error=error).timed_out is expected


def test_an_error_of_the_task_is_not_wove_s() -> None:
    """An exception that the task raised is not one of Wove's own errors."""
    assert not WeaveOutcome("error", error=ValueError()).is_wove_error


@pytest.mark.parametrize("kind", wove_errors())
def test_wove_s_own_errors(kind: type[Exception]) -> None:
    """Every class of error that Wove raises by itself is recognised as Wove's own."""
    error = kind({}) if kind is EnvironmentExecutionError else kind("late")
    assert WeaveOutcome("error", error=error).is_wove_error


def test_the_text_has_the_payload_without_its_traceback() -> None:
    """An outcome's text has the payload after the message, without the traceback."""
    error = EnvironmentExecutionError({"message": "full", "kind": "Disk", "traceback": "line 7"})
    text = WeaveOutcome("error", error=error).text
    assert ("full" in text, "Disk" in text, "line 7" in text) == (True, True, False)


def test_the_log_text_has_the_cause() -> None:
    """``log_text`` includes the cause of an exception."""
    error = ValueError("second")
    error.__cause__ = ValueError("first")
    assert "first" in WeaveOutcome("error", error=error).log_text


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (WeaveOutcome("result", 7), "the result 7"),
        (WeaveOutcome("nothing"), "neither a result nor an error"),
        (WeaveOutcome("error", error=ValueError("boom")), "ValueError: boom"),
        (WeaveOutcome("raised", error=ValueError("boom")), "ValueError out of the weave: boom"),
        (WeaveOutcome("raised", error=ValueError()), "ValueError out of the weave"),
    ],
)
def test_an_outcome_in_words(outcome: WeaveOutcome, words: str) -> None:
    """The text of each kind of outcome."""
    assert str(outcome) == words
