"""Describes one result in words, for every form of the report and for pytest failures."""

from __future__ import annotations

from wove_http_dev.conformance.case import Result


def headline(result: Result) -> str:
    """Return the case's title, level and source in one line."""
    case = result.case
    return f"{case.title} ({case.level}; {case.source})"


def rows(result: Result) -> dict[str, str]:
    """Return texts about ``result``, by their labels: the case's requirement and scenario, the
    requests that were sent (if the check records them), what was expected, what was seen, how a
    second run went, what the service printed meanwhile (if the check started it), and how to mend
    it."""
    case = result.case
    found = {
        "required": case.requirement,
        "scenario": case.scenario,
        "sent": result.sent,
        "expected": result.expected,
        "actual": result.actual,
    }
    if result.again:
        found["again"] = result.again
    if result.printed:
        found["printed"] = result.printed
    if case.remedy is not None:
        found |= {"mend": case.remedy.how, "example": case.remedy.example}
    return {label: text for label, text in found.items() if text or label != "sent"}


def describe(result: Result) -> str:
    """Return the headline of ``result`` and a line for each of its texts."""
    lines = [headline(result)]
    for label, text in rows(result).items():
        lines.append(f"    {label:8}  {text}".replace("\n", f"\n{' ' * 14}"))
    return "\n".join(lines)
