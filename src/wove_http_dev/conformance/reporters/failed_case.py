"""Describes one result in words, for the terminal, JUnit XML and pytest failures."""

from __future__ import annotations

from wove_http_dev.conformance.case import Result


def describe(result: Result) -> str:
    """Return several lines about ``result``: the case, its requirement and scenario, the requests
    that were sent (if the check records them), what was expected and what was seen."""
    case = result.case
    rows = [
        ("required", case.requirement),
        ("scenario", case.scenario),
        ("sent", result.sent),
        ("expected", result.expected),
        ("actual", result.actual),
    ]
    lines = [f"{case.title} ({case.level}; {case.source})"]
    lines += [f"    {label:8}  {text}" for label, text in rows if text or label != "sent"]
    return "\n".join(lines)
