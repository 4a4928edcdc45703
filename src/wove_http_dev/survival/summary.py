"""What all forms of the survival matrix say: the headline, the meaning and the letter of each
verdict, and a sentence for each cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from wove_http_dev.survival.matrix import VERDICTS, Entry, Matrix, counts, expected, reasons
from wove_http_dev.survival.verdicts import SHOWN, Cell, Verdict

MEANINGS: Mapping[Verdict, str] = MappingProxyType(
    {
        "survived": "the test passed",
        "handled": "the test failed, and each weave ended in time with Wove's own error",
        "wrong": "a result that did not come from this run of the task",
        "escaped": 'an exception left a weave that "except Exception" does not catch',
        "hung": "a weave did not end by itself",
        "ran-twice": "a task ran more often than its retries ask for",
        "skipped": "not tried, or the fault hit nothing",
        "expected": "Wove itself cannot contain the fault",
    }
)
"""What each verdict means."""
LETTERS: Mapping[Verdict, str] = MappingProxyType(
    {
        "survived": ".",
        "handled": "o",
        "wrong": "W",
        "escaped": "E",
        "hung": "H",
        "ran-twice": "R",
        "skipped": "-",
        "expected": "x",
    }
)
"""Each verdict as one character."""


class Problem(NamedTuple):
    """The failing cells of one test with the same verdict and sentence: often they have one
    cause."""

    verdict: Verdict
    nodeid: str
    sentence: str
    entries: list[Entry]


def problems(matrix: Matrix) -> list[Problem]:
    """Return the cells with a failing verdict, worst first. Cells of a test with the same verdict
    and the same sentence are one problem."""
    found: dict[tuple[Verdict, str, str], list[Entry]] = {}
    for each in matrix.failing():
        key = each.cell.verdict, each.nodeid, sentence(each.cell)
        found.setdefault(key, []).append(each)
    return [Problem(*key, entries) for key, entries in found.items()]


def headline(matrix: Matrix) -> str:
    """Return one line: how many tests and faults, and how often each verdict occurs."""
    entries = matrix.entries()
    tests = len({entry.nodeid for entry in entries})
    what = f"{plural(tests, 'test')} x {plural(len(matrix.faults), 'fault')}"
    return f"{what}: {counted(counts(entries)) or 'nothing was tried'}"


def versions(matrix: Matrix) -> str:
    """Return one line: the versions and the seed with which the matrix can be made again."""
    return f"Wove {matrix.wove}, Python {matrix.python}, --wove-http-seed={matrix.seed}"


def sentence(cell: Cell) -> str:
    """Return what a customer would have seen, or why the verdict is what it is."""
    return cell.customer or cell.detail


def counted(found: Counter[Verdict]) -> str:
    """Return the verdicts with their numbers, worst first: ``1 WRONG, 3 survived``."""
    return ", ".join(f"{found[each]} {SHOWN[each]}" for each in VERDICTS if found[each])


def plural(number: int, noun: str) -> str:
    """Return ``number`` with ``noun``, which gets an ``s`` unless there is one: ``2 tests``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def grouped_by_reason(not_tried: Mapping[str, str]) -> list[tuple[str, list[str]]]:
    """Return each reason for which tests were not tried, with these tests, most tests first."""
    groups: dict[str, list[str]] = {}
    for nodeid, reason in not_tried.items():
        groups.setdefault(reason, []).append(nodeid)
    return sorted(groups.items(), key=lambda each: (-len(each[1]), each[0]))


def untried(matrix: Matrix) -> int:
    """Return how many cells are missing, because the session ended before they were tried."""
    tried = [test for test in matrix.tests if test not in matrix.not_tried]
    return len(tried) * len(matrix.faults) - len(matrix.entries(tried))


def explained(matrix: Matrix, entries: Sequence[Entry]) -> dict[str, list[tuple[str, int]]]:
    """Return the reasons of cells that are expected or skipped, for which the application is not to
    blame: each with its number, by a title."""
    groups = {
        f"expected: Wove {matrix.wove} itself cannot contain them": expected(matrix),
        "skipped": reasons(entries, "skipped"),
    }
    return {
        f"{sum(number for _, number in group)} {title}": group
        for title, group in groups.items()
        if group
    }
