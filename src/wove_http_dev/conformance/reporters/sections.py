"""What all forms of a report show: the word of each result, and which results are described."""

from __future__ import annotations

from collections import Counter

from wove_http_dev.conformance.case import FAILED, NOT_RUN, PASSED, SKIPPED, Report, Result


def word_for(result: Result, *, strict: bool) -> str:
    """Return the word that begins the line of ``result``, e.g. ``ok`` or ``FAILED``."""
    if result.status == PASSED:
        return "PASSED!" if result.known_failing else "ok"
    if result.status == FAILED and result.listed:
        return "flaky" if result.known_flaky else "known"
    if result.status == FAILED and not result.is_shortfall(strict=strict):
        return "should"
    return {FAILED: "FAILED", SKIPPED: "skip", NOT_RUN: "not run"}[result.status]


def sections(report: Report) -> dict[str, list[Result]]:
    """Return the results that are described in full, by the title above them: those that make the
    check fail, then each SHOULD that failed without effect. Empty ones are left out."""
    short = report.shortfalls
    found = {
        "FAILED": [r for r in short if r.status == FAILED],
        "SHOULD, not counted without --strict": [
            r for r in report.results if r.status == FAILED and not r.listed and r not in short
        ],
        "KNOWN TO FAIL, BUT PASSED (remove them from the list)": [
            r for r in short if r.status == PASSED
        ],
    }
    return {title: results for title, results in found.items() if results}


def not_checked(report: Report) -> list[str]:
    """Return a line for each reason for which cases were not run, or were skipped because another
    one failed, with their number."""
    words = {NOT_RUN: "NOT RUN", SKIPPED: "SKIPPED"}
    reasons = Counter(
        f"{words[result.status]}: {result.reason}"
        for result in report.results
        if result.status == NOT_RUN or result.because
    )
    return [f"{number} {reason}" for reason, number in reasons.items()]


def run_again(report: Report) -> list[str]:
    """Return a line for each case of which a second run says something and that is not described
    in full: how it went, and what was seen at first, or why there was none."""
    described = [result for results in sections(report).values() for result in results]
    return [
        f"{result.case.id}: {result.again}"
        for result in report.results
        if result.again and result not in described
    ]
