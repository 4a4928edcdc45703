"""The report as JUnit XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conformance.reporters.results import result
from wove_http_dev.conformance.case import NOT_RUN, PASSED, SHOULD, SKIPPED, Report, Result
from wove_http_dev.conformance.reporters.failed_case import describe
from wove_http_dev.conformance.reporters.junit import write_junit_xml


def written(tmp_path: Path, *results: Result, strict: bool = False) -> ElementTree.Element:
    """Return the root element of the output of :func:`write_junit_xml`."""
    path = tmp_path / "report.xml"
    write_junit_xml(path, Report("it", results, strict))
    return ElementTree.parse(path).getroot()


@pytest.mark.parametrize(
    ("made", "strict", "tag"),
    [
        (result(), False, "failure"),
        (result(level=SHOULD), False, "skipped"),
        (result(level=SHOULD), True, "failure"),
        (result(known_failing=True), False, "skipped"),
        (result(PASSED, known_failing=True), False, "failure"),
        (result(SKIPPED), False, "skipped"),
        (result(NOT_RUN), False, "error"),
    ],
    ids=["must", "should", "strict", "known", "unexpected-pass", "skip", "not-run"],
)
def test_the_element_of_a_result(tmp_path: Path, made: Result, strict: bool, tag: str) -> None:
    """Only a result that makes the check fail is written as a failure."""
    (element,) = written(tmp_path, made, strict=strict).iter("testcase")
    assert [child.tag for child in element] == [tag]


def test_a_passed_case_has_no_children(tmp_path: Path) -> None:
    """The element of a passed case is empty, which means success in JUnit XML."""
    (element,) = written(tmp_path, result(PASSED)).iter("testcase")
    assert list(element) == []


def test_the_text_of_a_failure_is_that_of_every_report(tmp_path: Path) -> None:
    """A failure has the same text as in the other reports."""
    (failure,) = written(tmp_path, result()).iter("failure")
    assert failure.text == describe(result())


def test_a_suite_counts_its_cases(tmp_path: Path) -> None:
    """A suite has the number of its tests and failures."""
    (suite,) = written(tmp_path, result(), result(PASSED, number="02")).iter("testsuite")
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("made-up", "2", "1")
