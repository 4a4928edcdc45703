"""The text of one result, the same on the terminal, in JUnit XML and in a pytest failure."""

from __future__ import annotations

from wove_http_dev.conformance.case import Result


def describe(result: Result) -> str:
    """The case and, a line each, what is required, the scenario, what was sent, what was expected
    and what was seen; ``sent`` only where the check records it."""
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
