"""The report as Markdown: what GitHub makes of it."""

from __future__ import annotations

import pytest

from tests.conformance.reporters.results import result
from tests.survival.html_text import ReadHtml
from tests.survival.matrices import HOSTILE
from wove_http_dev.conformance.case import NOT_RUN, PASSED, Report, Result
from wove_http_dev.conformance.reporters.markdown import markdown
from wove_http_dev.conformance.reporters.verdict import summary
from wove_http_dev.printable import printable


def rendered(*results: Result, subject: str = "it") -> ReadHtml:
    """The page as HTML."""
    markdown_it = pytest.importorskip("markdown_it", reason="rich 13.0 does not need it")
    reader = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return ReadHtml(reader.render(markdown(Report(subject, results))))


def test_the_summary_is_above() -> None:
    """The page begins with what was checked and the summary."""
    report = Report("it", [result(PASSED)])
    assert markdown(report).startswith(f"# Check of `it`\n\n{summary(report)}\n")


def test_a_failed_case_is_described() -> None:
    """A failed case has its headline and its texts."""
    page = markdown(Report("it", [result()]))
    assert "### made-up.01-good-answer (MUST; RFC 0)\n\n**required** It answers.\n" in page


def test_what_was_not_run_is_counted() -> None:
    assert "\n- 1 NOT RUN: a bad answer\n" in markdown(Report("it", [result(NOT_RUN)]))


def test_every_case_is_a_row() -> None:
    """Every case, also one that passed, has a row of the table."""
    assert rendered(result(PASSED), result(number="02")).tags["tr"] == 3


def test_text_of_several_lines() -> None:
    """A text of several lines is a block of code, which no line of it ends."""
    assert rendered(result(actual="one\n```\n</details>\ntwo")).tags["pre"] == 1


class TestTextFromOutside:
    """Text of a service stays text."""

    def test_is_shown(self) -> None:
        """Hostile text is shown as it is, escaped: as subject, as what was sent, as actual."""
        page = rendered(result(actual=HOSTILE, sent=HOSTILE), subject=HOSTILE)
        assert page.text.count(printable(HOSTILE, keep="\n")) == 2
        assert printable(HOSTILE) in page.text

    def test_makes_no_element(self) -> None:
        """Hostile text makes no element, and ends none."""
        hostile = rendered(result(actual=HOSTILE, sent=HOSTILE), subject=HOSTILE)
        assert hostile.tags == rendered(result(actual="a\nb", sent="a\nb")).tags
