"""The report as a page: complete in itself, and text from outside stays text."""

from __future__ import annotations

from tests.conformance.reporters.results import result
from tests.survival.html_text import ReadHtml
from tests.survival.matrices import HOSTILE
from wove_http_dev.conformance.case import NOT_RUN, PASSED, Report, Result
from wove_http_dev.conformance.reporters.html import html
from wove_http_dev.conformance.reporters.verdict import summary
from wove_http_dev.printable import printable


def page(*results: Result, subject: str = "it") -> ReadHtml:
    """The elements and the text of the page."""
    return ReadHtml(html(Report(subject, results)))


def test_the_summary_is_above() -> None:
    """The page has what was checked and the summary."""
    made = result(PASSED)
    assert f"Check of it\n{summary(Report('it', [made]))}" in page(made).text


def test_a_failed_case_is_described() -> None:
    """A failed case has a heading, and a term for each of its texts."""
    tags = page(result()).tags
    assert (tags["h3"], tags["dt"]) == (1, 5)


def test_what_was_not_run_is_counted() -> None:
    assert "1 NOT RUN: a bad answer" in page(result(NOT_RUN)).text


def test_every_case_is_a_row() -> None:
    """Every case, also one that passed, has a row of the table."""
    assert page(result(PASSED), result(number="02")).tags["tr"] == 3


def test_it_loads_nothing() -> None:
    """The page has no link, no script, and a policy that allows none."""
    read = page(result())
    assert (read.links, read.tags["script"]) == ([], 0)
    assert "default-src 'none'" in html(Report("it", [result()]))


class TestTextFromOutside:
    """Text of a service stays text."""

    def test_is_shown(self) -> None:
        """Hostile text is shown as it is, escaped: as subject, as what was sent, as actual."""
        shown = page(result(actual=HOSTILE, sent=HOSTILE), subject=HOSTILE).text
        assert shown.count(printable(HOSTILE, keep="\n")) == 2
        assert shown.count(printable(HOSTILE)) >= 2

    def test_makes_no_element(self) -> None:
        """Hostile text makes no element, and ends none."""
        hostile = page(result(actual=HOSTILE, sent=HOSTILE), subject=HOSTILE)
        assert hostile.tags == page(result(actual="a\nb", sent="a\nb")).tags
