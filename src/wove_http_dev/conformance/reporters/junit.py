"""Writes a report as JUnit XML."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from wove_http_dev.conformance.case import FAILED, NOT_RUN, SKIPPED, Report, Result
from wove_http_dev.conformance.reporters.failed_case import describe


def write_junit_xml(path: Path, report: Report) -> None:
    """Write ``report`` to the file ``path``, with one test suite for each family.

    A failed case that does not make the check fail (a SHOULD, or known to fail) is written as
    skipped; the reason is what was seen. Raises ``OSError`` if the file cannot be written.
    """
    suites = ElementTree.Element("testsuites", name=f"wove-http-dev check {report.subject}")
    for family in dict.fromkeys(result.case.family for result in report.results):
        members = [result for result in report.results if result.case.family == family]
        elements = [_as_element(result, strict=report.strict) for result in members]
        suite = ElementTree.SubElement(
            suites,
            "testsuite",
            name=family,
            tests=str(len(elements)),
            failures=str(sum(e.find("failure") is not None for e in elements)),
            errors=str(sum(e.find("error") is not None for e in elements)),
            skipped=str(sum(e.find("skipped") is not None for e in elements)),
            time=f"{sum(result.seconds for result in members):.3f}",
        )
        suite.extend(elements)
    ElementTree.ElementTree(suites).write(path, encoding="utf-8", xml_declaration=True)


def _as_element(result: Result, *, strict: bool) -> ElementTree.Element:
    case = result.case
    element = ElementTree.Element(
        "testcase",
        classname=f"wove_http_dev.conformance.{case.family}",
        name=case.title,
        time=f"{result.seconds:.3f}",
    )
    counts = result.is_shortfall(strict=strict)
    text = describe(result)
    if result.status == NOT_RUN:
        ElementTree.SubElement(element, "error", message=result.actual).text = text
    elif counts:
        message = result.actual if result.status == FAILED else "known to fail, but it passed"
        ElementTree.SubElement(element, "failure", message=message).text = text
    elif result.status == SKIPPED:
        ElementTree.SubElement(element, "skipped", message=result.reason)
    elif result.status == FAILED:
        reason = "known to fail" if result.listed else "SHOULD, not counted"
        ElementTree.SubElement(element, "skipped", message=f"{reason}: {result.actual}")
    return element
