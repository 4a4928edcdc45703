"""The report on the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from tests.conformance.reporters.results import case, result
from wove_http_dev.conformance.case import NOT_RUN, SKIPPED, Report, Result
from wove_http_dev.conformance.reporters.console import (
    Progress,
    print_list,
    print_report,
)
from wove_http_dev.conformance.reporters.failed_case import describe
from wove_http_dev.conformance.reporters.verdict import summary


def printed(*results: Result) -> str:
    """Return the output of :func:`print_report`."""
    output = io.StringIO()
    print_report(Console(file=output, width=200), Report("it", results))
    return output.getvalue()


def progress(made: Result) -> str:
    """Return the line that :class:`Progress` prints for one result."""
    output = io.StringIO()
    Progress(Console(file=output, width=200), strict=False)(made)
    return output.getvalue()


def test_the_line_of_a_skipped_case_has_the_reason() -> None:
    """A skipped case has the reason in its line, not the time."""
    assert progress(result(SKIPPED)) == "skip    made-up.01-good-answer  a bad answer\n"


def test_a_case_that_was_not_run_has_no_line() -> None:
    """A case that was not run has no line, because the report lists it."""
    assert progress(result(NOT_RUN)) == ""


def test_a_failed_case_is_shown_whole() -> None:
    """A failed case is described under the heading FAILED."""
    assert f"FAILED\n\n{describe(result())}\n" in printed(result())


def test_cases_that_were_not_run_are_counted() -> None:
    """Cases that were not run are counted, with their reason, and not listed."""
    text = printed(result(NOT_RUN), result(NOT_RUN, number="02"))
    assert ("\n2 NOT RUN: a bad answer\n" in text, "made-up.02" in text) == (True, False)


def test_text_from_a_service_is_not_markup() -> None:
    """Square brackets in an answer are printed unchanged."""
    assert "[bold]loud[/bold]" in printed(result(actual="[bold]loud[/bold]"))


def test_the_last_line_is_the_summary() -> None:
    """The last line is the one with the verdict."""
    assert printed(result()).splitlines()[-1] == summary(Report("it", [result()]))


def test_the_list_shows_the_scenario() -> None:
    """The list has each case's title, level, requirement, source and scenario."""
    output = io.StringIO()
    print_list(Console(file=output, width=200), [case()])
    assert output.getvalue().splitlines() == [
        "made-up.01-good-answer  MUST",
        "    It answers. [RFC 0]",
        "    scenario: a good request",
    ]
