"""The last line of a report: the counts and the verdict."""

from __future__ import annotations

import pytest

from tests.conformance.reporters.results import result
from wove_http_dev.conformance.case import NOT_RUN, PASSED, SHOULD, SKIPPED, Report, Result
from wove_http_dev.conformance.reporters.verdict import summary, verdict


def test_the_summary_counts_each_level() -> None:
    """MUST and SHOULD are counted apart, before the seconds and the verdict."""
    report = Report("it", [result(PASSED), result(), result(SKIPPED), result(level=SHOULD)])
    assert summary(report) == (
        "it: MUST 1 passed, 1 failed, 1 skipped; SHOULD 0 passed, 1 failed; 0.0 s:"
        f" {verdict(report)}"
    )


def test_a_level_without_a_case_is_left_out() -> None:
    """A level of which no case was asked for has no counts."""
    assert "SHOULD" not in summary(Report("it", [result()]))


def test_a_failure_on_the_list_is_counted_apart() -> None:
    """A case that failed as the list of known failures says is not one of the failed."""
    assert "MUST 0 passed, 1 failed as listed;" in summary(
        Report("it", [result(known_failing=True)])
    )


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ([result(PASSED)], "CONFORMS: every MUST and SHOULD passed"),
        (
            [result(PASSED), result(SKIPPED)],
            "CONFORMS: every MUST and SHOULD that could be checked",
        ),
        ([result(PASSED), result(level=SHOULD)], "CONFORMS: every MUST passed; 1 SHOULD failed"),
        ([result()], "DOES NOT CONFORM: 1 MUST failed"),
        ([result(known_failing=True)], "DOES NOT CONFORM: 1 MUST failed, as listed"),
        ([result(NOT_RUN), result()], "DOES NOT CONFORM: 1 MUST failed, 1 case was not run"),
        ([result(PASSED), result(NOT_RUN)], "NOT DECIDED: 1 case was not run"),
        (
            [result(PASSED, known_failing=True)],
            "CONFORMS: every MUST and SHOULD passed; the check failed: 1 case was on the list of"
            " known failures, but passed",
        ),
    ],
)
def test_the_verdict(made: list[Result], says: str) -> None:
    """It conforms only if every MUST was checked and passed, whatever the exit status is."""
    assert verdict(Report("it", made)).startswith(says)


def test_a_should_that_counts() -> None:
    """With ``strict`` the verdict still is about MUST, and says that the check failed."""
    assert verdict(Report("it", [result(PASSED), result(level=SHOULD)], strict=True)) == (
        "CONFORMS: every MUST passed; with --strict the check failed: 1 SHOULD failed"
    )


def test_a_should_on_the_list_does_not_count() -> None:
    """With ``strict`` a SHOULD that the list of known failures has does not fail the check."""
    report = Report("it", [result(PASSED), result(level=SHOULD, known_failing=True)], strict=True)
    assert (report.exit_status, verdict(report)) == (
        0,
        "CONFORMS: every MUST passed; 1 SHOULD failed, as listed",
    )


def test_shoulds_on_the_list_and_others() -> None:
    """With ``strict`` only the SHOULDs that the list does not have fail the check."""
    shoulds = [result(level=SHOULD), result(level=SHOULD, known_failing=True)]
    assert verdict(Report("it", [result(PASSED), *shoulds], strict=True)) == (
        "CONFORMS: every MUST passed; 1 SHOULD failed, as listed; with --strict the check failed:"
        " 1 SHOULD failed"
    )


def test_one_failure_is_on_the_list() -> None:
    """Of several MUSTs that failed, those on the list are counted."""
    assert verdict(Report("it", [result(), result(known_failing=True)])) == (
        "DOES NOT CONFORM: 2 MUST failed, 1 of them as listed"
    )


def test_a_part_of_the_suite_decides_nothing() -> None:
    """A check of chosen cases does not say that anything conforms."""
    assert verdict(Report("it", [result(PASSED)], left_out=2)) == (
        "NOT DECIDED: no MUST failed, but 2 cases were left out"
    )
