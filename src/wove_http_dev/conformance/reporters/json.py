"""Writes a report as one JSON object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wove_http_dev.conformance.case import FAILED, NOT_RUN, PASSED, SKIPPED, Report, Result
from wove_http_dev.conformance.reporters.verdict import verdict


def write_json(path: Path, report: Report) -> None:
    """Write ``report`` to the file ``path`` as an object with the keys ``subject``, ``strict``,
    ``seconds``, ``exit_status``, ``verdict``, ``counts`` and ``cases``, a list with an object for
    each result.

    Raises ``OSError`` if the file cannot be written.
    """
    document = {
        "subject": report.subject,
        "strict": report.strict,
        "seconds": round(report.seconds, 3),
        "exit_status": report.exit_status,
        "verdict": verdict(report),
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
        "scenario": case.scenario,
        "sent": result.sent,
        "expected": result.expected,
        "actual": result.actual,
        "printed": result.printed,
        "mend": case.remedy.how if case.remedy else "",
        "example": case.remedy.example if case.remedy else "",
        "status": result.status,
        "because": list(result.because),
        "known_failing": result.known_failing,
        "known_flaky": result.known_flaky,
        "again": result.again,
        "is_shortfall": result.is_shortfall(strict=strict),
        "seconds": round(result.seconds, 4),
    }
