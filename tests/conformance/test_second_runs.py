"""Which cases are run a second time, and which of the two results counts."""

from __future__ import annotations

import pytest

from tests.conformance.reporters.results import result
from wove_http_dev.conformance.case import FAILED, NOT_RUN, PASSED, SKIPPED, Result
from wove_http_dev.conformance.jobs import Beside
from wove_http_dev.conformance.second_runs import (
    NOT_SEEN_ALONE,
    decided,
    together,
    wants_second,
)

OTHERS = ("run.01", "run.02")
LATE = result(late=True)


@pytest.mark.parametrize(
    ("first", "wanted"),
    [
        (Beside(LATE), True),
        (Beside(result()), False),
        (Beside(result(), OTHERS), True),
        (Beside(result(PASSED), OTHERS), False),
        (Beside(result(NOT_RUN, late=True)), True),
        (Beside(result(SKIPPED), OTHERS), False),
        (Beside(result(SKIPPED, needs=("run.09",)), OTHERS), True),
        (Beside(result(SKIPPED, needs=("run.09",))), False),
    ],
    ids=["late", "alone", "beside", "passed", "cut-off", "skipped", "needs-beside", "needs-alone"],
)
def test_a_second_run_is_wanted(first: Beside, wanted: bool) -> None:
    """A case is run again if time or other cases may be the reason of its result."""
    assert wants_second(first) is wanted


def test_a_second_run_that_was_not_possible() -> None:
    """If there was no second run, the first result counts and says why."""
    second = result(NOT_RUN, actual="the time was used up")
    assert decided(Beside(LATE), second).again == (
        "it was not run again alone: the time was used up"
    )


def test_a_second_run_that_the_user_can_make() -> None:
    """If a case that failed beside others was not run again, its result says how to run it
    alone."""
    second = decided(Beside(LATE, OTHERS), result(NOT_RUN, actual="the time was used up"))
    assert second.again.endswith("; --jobs 1 --run made-up.01 runs it alone")


def test_what_was_late_beside_others_and_not_run_again_is_not_decided() -> None:
    """Other cases may be the reason that a case was late: without a second run it has not failed,
    and its result says what was seen."""
    second = decided(Beside(LATE, OTHERS), result(NOT_RUN, actual="the time was used up"))
    assert second.status == NOT_RUN
    assert "while 2 other cases ran (run.01, run.02): a bad answer; --jobs 1" in second.again


def test_why_nothing_was_run_again_is_said_once() -> None:
    """The reason is part of what a report counts, and not of each case's own line."""
    second = decided(Beside(LATE, OTHERS), result(NOT_RUN, actual="the time was used up"))
    assert second.actual == f"{NOT_SEEN_ALONE}: the time was used up"
    assert "used up" not in second.again


def test_what_failed_beside_others_and_was_not_run_again_has_failed() -> None:
    """A case that failed, but not because of time, is a failure without a second run as well."""
    second = decided(Beside(result(), OTHERS), result(NOT_RUN, actual="the time was used up"))
    assert (second.status, second.actual) == (FAILED, "a bad answer")


def test_a_case_that_is_cut_off_twice() -> None:
    """A case that could not be run to its end twice keeps its reason, as it is counted."""
    first = result(NOT_RUN, actual="cut off", late=True)
    assert decided(Beside(first), result(NOT_RUN, actual="the time was used up")) == first


def test_a_case_that_was_late_and_is_cut_off() -> None:
    """A case that was late, and cannot be run to its end alone either, has not failed."""
    assert decided(Beside(LATE), result(NOT_RUN, late=True)).status == NOT_RUN


def test_a_second_run_that_does_not_apply() -> None:
    """If a case that was late is skipped the second time, it is skipped."""
    second = decided(Beside(LATE), result(SKIPPED, actual="not here"))
    assert (second.status, second.again) == (
        SKIPPED,
        "it was skipped alone; at first: a bad answer",
    )


def test_a_failure_beside_others_is_shown_as_it_was() -> None:
    """A case that fails only beside others keeps what was sent at that time."""
    first = result(sent="the first request")
    assert decided(Beside(first, OTHERS), result(PASSED, sent="the second")).sent == first.sent


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 other case ran (run.00)"),
        (2, "2 other cases ran (run.00, run.01)"),
        (7, "7 other cases ran (run.00, run.01, run.02, run.03, run.04, run.05, …)"),
    ],
)
def test_the_cases_beside(count: int, text: str) -> None:
    """The cases beside are counted, and the first of them named."""
    assert together([f"run.{number:02}" for number in range(count)]) == text


def test_a_case_that_was_skipped_counts_as_it_is_alone() -> None:
    """The second result of a case that was skipped beside others counts."""
    first: Result = result(SKIPPED, needs=("run.09",))
    assert decided(Beside(first, OTHERS), result(FAILED)).status == FAILED
