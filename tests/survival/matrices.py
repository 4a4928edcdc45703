"""Matrices made by hand."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from wove_http_dev.faults import FAULTS
from wove_http_dev.survival.matrix import VERDICTS, Matrix
from wove_http_dev.survival.verdicts import FAILING, Cell, Verdict

TEST = "tests/test_orders.py::test_pay"
CUSTOMER = "A customer would have been charged twice for one order."
HOSTILE = (
    "<script>hit()</script>|`**x**`\n# h\x1b[31m\u202e@user [a](b) </details> &lt; \\| _u_ \ud800"
)
"""Text with a meaning in HTML, Markdown, a terminal and a log, and a lone surrogate."""


def cell(verdict: Verdict, detail: str = "render ran 2 times", journal: str = "") -> Cell:
    """A cell with a sentence about the customer if its verdict fails."""
    return Cell(verdict, detail, 0.25, CUSTOMER if verdict in FAILING else "", journal)


def matrix_of(cells: Mapping[str, Mapping[str, Verdict]]) -> Matrix:
    """The matrix of ``{test: {fault: verdict}}``."""
    matrix = Matrix(wove="2.0.3", python="3.12.1")
    for nodeid, row in cells.items():
        for fault, verdict in row.items():
            matrix.add(nodeid, fault, cell(verdict))
    return matrix


def large_matrix(
    tests: int, faults: Iterable[str] = FAULTS, verdicts: Iterable[Verdict] = VERDICTS
) -> Matrix:
    """A matrix of numbered tests, with ``verdicts`` in turn."""
    faults = list(faults)
    matrix = Matrix(faults, wove="2.0.3", python="3.12.1")
    turn = itertools.cycle(verdicts)
    for number in range(tests):
        for fault in faults:
            matrix.add(f"{TEST}[{number}]", fault, cell(next(turn), journal=f"{number} {fault}"))
    return matrix
