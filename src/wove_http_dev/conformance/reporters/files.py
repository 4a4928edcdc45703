"""A report as JSON and as JUnit XML. It knows the two formats and judges nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from wove_http_dev.conformance.case import FAILED, NOT_RUN, PASSED, SKIPPED, Report, Result


def write_json(path: Path, report: Report) -> None:
    """One object: ``subject``, ``strict``, ``seconds``, ``exit_status``, ``counts`` and ``cases``.

    Raises ``OSError``.
    """
    document = {
        "subject": report.subject,
        "strict": report.strict,
        "seconds": round(report.seconds, 3),
        "exit_status": report.exit_status,
        "counts": {status: report.count(status) for status in (PASSED, FAILED, SKIPPED, NOT_RUN)},
        "cases": [_as_json(result, strict=report.strict) for result in report.results],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _as_json(result: Result, *, strict: bool) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "name": case.name,
        "family": case.family,
        "level": case.level,
        "source": case.source,
        "requirement": case.requirement,
        "sent": case.scenario,
        "expected": result.expected,
        "actual": result.actual,
        "status": result.status,
        "known_failing": result.known_failing,
        "is_shortfall": result.is_shortfall(strict=strict),
        "seconds": round(result.seconds, 4),
    }


def write_junit_xml(path: Path, report: Report) -> None:
    """One suite for each family. What does not count (a SHOULD, a case known to fail) is written as
    skipped, with what was seen as the reason. Raises ``OSError``."""
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
    text = (
        f"{case.level}: {case.requirement} ({case.source})\nsent: {case.scenario}\n"
        f"expected: {result.expected}\nactual: {result.actual}"
    )
    if result.status == NOT_RUN:
        ElementTree.SubElement(element, "error", message=result.actual).text = text
    elif counts:
        said = result.actual if result.status == FAILED else "known to fail, but it passed"
        ElementTree.SubElement(element, "failure", message=said).text = text
    elif result.status == SKIPPED:
        ElementTree.SubElement(element, "skipped", message=result.actual)
    elif result.status == FAILED:
        why = "known to fail" if result.known_failing else "SHOULD, not counted"
        ElementTree.SubElement(element, "skipped", message=f"{why}: {result.actual}")
    return element
