"""What all forms of a report show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conformance.reporters.results import result
from wove_http_dev.conformance.case import NOT_RUN, PASSED, SHOULD, SKIPPED, Report, Result
from wove_http_dev.conformance.reporters.sections import not_checked, sections, word_for


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (result(PASSED), "ok"),
        (result(), "FAILED"),
        (result(level=SHOULD), "should"),
        (result(known_failing=True), "known"),
        (result(PASSED, known_failing=True), "PASSED!"),
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


def test_a_failure_on_the_list_is_not_described() -> None:
    """A failure that the list of known failures has needs no description."""
    assert sections(Report("it", [result(known_failing=True)])) == {}


def test_what_was_not_checked_is_counted_by_reason() -> None:
    """Each reason has the number of its cases; a case that does not apply needs none."""
    skipped = replace(result(SKIPPED, actual="it never began"), because=("run.02",))
    report = Report("it", [result(NOT_RUN), result(NOT_RUN), skipped, result(SKIPPED)])
    assert not_checked(report) == [
        "2 NOT RUN: a bad answer",
        "1 SKIPPED: run.02 failed: it never began",
    ]
