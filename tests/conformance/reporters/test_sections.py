"""What all forms of a report show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.conformance.reporters.results import result
from wove_http_dev.conformance.case import NOT_RUN, PASSED, SHOULD, SKIPPED, Report, Result
from wove_http_dev.conformance.reporters.sections import (
    not_checked,
    run_again,
    sections,
    word_for,
)


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (result(PASSED), "ok"),
        (result(), "FAILED"),
        (result(level=SHOULD), "should"),
        (result(known_failing=True), "known"),
        (result(PASSED, known_failing=True), "PASSED!"),
        (result(known_flaky=True), "flaky"),
        (result(PASSED, known_flaky=True), "ok"),
        (result(SKIPPED), "skip"),
    ],
)
def test_the_word_of_a_result(made: Result, word: str) -> None:
    """The first word of a line depends on the result."""
    assert word_for(made, strict=False) == word


@pytest.mark.parametrize(
    ("made", "title"),
    [
        (result(), "FAILED"),
        (result(level=SHOULD), "SHOULD, not counted"),
        (result(PASSED, known_failing=True), "KNOWN TO FAIL, BUT PASSED"),
    ],
)
def test_a_result_that_is_described(made: Result, title: str) -> None:
    """What failed, and a known failure that passed, have a section each."""
    ((shown, results),) = sections(Report("it", [made, result(SKIPPED)])).items()
    assert (shown.startswith(title), results) == (True, [made])


@pytest.mark.parametrize("listed", [{"known_failing": True}, {"known_flaky": True}])
def test_a_failure_on_a_list_is_not_described(listed: dict[str, Any]) -> None:
    """A failure that a list of known failures has needs no description."""
    assert sections(Report("it", [result(**listed)])) == {}


def test_what_passed_when_it_was_run_again_is_named() -> None:
    """A case that passed only the second time is named, with what was seen at first."""
    assert run_again(Report("it", [result(PASSED, again="it passed alone; at first: no")])) == [
        "made-up.01: it passed alone; at first: no"
    ]


def test_what_was_not_run_again_is_not_said_to_have_been() -> None:
    """A case for whose second run no time was left is named with that reason alone."""
    skipped = result(SKIPPED, again="it was not run again alone: no time")
    assert run_again(Report("it", [skipped])) == ["made-up.01: it was not run again alone: no time"]


def test_what_is_described_is_not_named_again() -> None:
    """A failure that is described in full says there how often it was run."""
    assert run_again(Report("it", [result(again="it failed alone as well")])) == []


def test_what_was_not_checked_is_counted_by_reason() -> None:
    """Each reason has the number of its cases; a case that does not apply needs none."""
    skipped = replace(result(SKIPPED, actual="it never began"), because=("run.02",))
    report = Report("it", [result(NOT_RUN), result(NOT_RUN), skipped, result(SKIPPED)])
    assert not_checked(report) == [
        "2 NOT RUN: a bad answer",
        "1 SKIPPED: run.02 failed: it never began",
    ]
