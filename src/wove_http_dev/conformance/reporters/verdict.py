"""The last line of a report: what was checked, the counts of each level, and whether it
conforms."""

from __future__ import annotations

from collections.abc import Sequence

from wove_http_dev.conformance.case import (
    FAILED,
    MUST,
    NOT_RUN,
    PASSED,
    SHOULD,
    SKIPPED,
    Level,
    Report,
    Result,
)


def summary(report: Report) -> str:
    """Return one line with what was checked, the number of cases by level and status, the seconds
    and the verdict."""
    levels = [each for each in (counts(report, MUST), counts(report, SHOULD)) if each]
    return f"{report.subject}: {'; '.join(levels)}; {report.seconds:.1f} s: {verdict(report)}"


def counts(report: Report, level: Level) -> str:
    """Return how many cases of ``level`` there are of each status, e.g. ``MUST 9 passed, 1
    failed``; an empty string if there is no case of that level."""
    results = [result for result in report.results if result.case.level == level]
    known = sum(result.listed and result.status == FAILED for result in results)
    numbers = {
        status: sum(result.status == status for result in results)
        for status in (PASSED, FAILED, SKIPPED, NOT_RUN)
    }
    words = {
        "passed": numbers[PASSED],
        "failed": numbers[FAILED] - known,
        "failed as listed": known,
        "skipped": numbers[SKIPPED],
        "not run": numbers[NOT_RUN],
    }
    shown = [f"{number} {word}" for word, number in words.items() if number or word == "passed"]
    return f"{level} {', '.join(shown)}" if results else ""


def verdict(report: Report) -> str:
    """Return whether the service or executor conforms, and why, or why not.

    "conforms" stands only where every MUST was asked for and none failed. A list of known failures
    changes the exit status, but not this: a MUST that failed as listed failed.
    """
    failed = _failed(report, MUST)
    not_run = report.count(NOT_RUN)
    if failed:
        text = f"DOES NOT CONFORM: {len(failed)} MUST failed{_listed(failed)}"
        text += f", {cases(not_run)} not run" if not_run else ""
    elif not_run:
        text = f"NOT DECIDED: {cases(not_run)} not run"
    elif report.left_out:
        text = f"NOT DECIDED: no MUST failed, but {cases(report.left_out)} left out"
    else:
        text = f"CONFORMS: {_passed(report)}"
    counted = sum(r.is_shortfall(strict=report.strict) for r in _failed(report, SHOULD))
    if counted:
        text += f"; with --strict the check failed: {counted} SHOULD failed"
    stale = sum(r.known_failing and r.status == PASSED for r in report.results)
    if stale:
        text += f"; the check failed: {cases(stale)} on the list of known failures, but passed"
    return text


def _failed(report: Report, level: Level) -> list[Result]:
    return [r for r in report.results if r.status == FAILED and r.case.level == level]


def _listed(failed: Sequence[Result]) -> str:
    """Return how many of ``failed`` the lists of known failures have."""
    listed = sum(result.listed for result in failed)
    if not listed:
        return ""
    return ", as listed" if listed == len(failed) else f", {listed} of them as listed"


def _passed(report: Report) -> str:
    here = " that could be checked" if report.count(SKIPPED) else ""
    failed = _failed(report, SHOULD)
    uncounted = [r for r in failed if not r.is_shortfall(strict=report.strict)]
    if not failed:
        return f"every MUST and SHOULD{here} passed"
    if not uncounted:
        return f"every MUST{here} passed"
    return f"every MUST{here} passed; {len(uncounted)} SHOULD failed{_listed(uncounted)}"


def cases(number: int) -> str:
    """Return ``1 case was`` or ``N cases were``."""
    return "1 case was" if number == 1 else f"{number} cases were"
