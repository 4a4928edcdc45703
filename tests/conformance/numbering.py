"""Finds errors in the numbering of a suite's cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from wove_http_dev.conformance.case import Case


def repeated(cases: Iterable[Case]) -> list[str]:
    """Return the ids and titles that more than one case has."""
    cases = list(cases)
    counts = Counter(case.id for case in cases) + Counter(f"{c.family}.{c.name}" for c in cases)
    named = Counter(case.id for case in cases if not case.number)
    return sorted(name for name, count in (counts - named).items() if count > 1)


def gaps(cases: Iterable[Case]) -> dict[str, list[str]]:
    """Return, for each family whose numbers are not 01, 02, … without a gap, the numbers that it
    has."""
    numbers: dict[str, list[str]] = {}
    for case in cases:
        if case.number:
            numbers.setdefault(case.family, []).append(case.number)
    return {
        family: sorted(found)
        for family, found in numbers.items()
        if sorted(found) != [f"{number:02}" for number in range(1, len(found) + 1)]
    }
