"""The text that describes one result, used on the terminal, in JUnit XML and in pytest failures."""

from __future__ import annotations

from wove_http_dev.conformance.case import Result


def describe(result: Result) -> str:
    """Several lines of text: the case, its requirement and scenario, the requests that were sent,
    what was expected and what was seen. ``sent`` is left out if the check does not record
    requests."""
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
