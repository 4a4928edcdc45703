"""``Matrix``: the verdicts on all tests with all faults, and its JSON form."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS
from wove_http_dev.survival.verdicts import FAILING, SHOWN, Cell, Verdict

VERSION = 1
"""The version of the JSON form."""
VERDICTS: tuple[Verdict, ...] = (*FAILING, "handled", "expected", "survived", "skipped")
"""All verdicts, worst first; ``skipped`` says least."""
OWN_FAULTS = "own"
"""The family of faults that are not in the catalogue."""
JOURNALS = 32_000_000
"""Characters of journals that are kept: all are in memory until the end of the session. Cells that
do not fail may use a quarter of them."""
_NOT_KEPT = "(not kept: the journals of all tests are longer than {limit:,} characters)"
_SEVERITY = {verdict: rank for rank, verdict in enumerate(VERDICTS)}
_FAULT_ORDER = {name: rank for rank, name in enumerate(FAULTS)}
_DIGITS = re.compile("([0-9]+)")


@dataclass(frozen=True)
class Entry:
    """One cell of the matrix with its place."""

    nodeid: str
    fault: str
    cell: Cell


class Matrix:
    """The verdicts on tests × faults. Tests are in the order of their node ids, and faults in the
    catalogue's, in whatever order xdist's workers send them.

    ``faults`` are those with which each test is to be tried, as text; ``wove`` and ``python`` are
    versions (default: those of this process). Not thread-safe.
    """

    def __init__(
        self,
        faults: Iterable[str] = (),
        *,
        seed: int = 0,
        wove: str | None = None,
        python: str | None = None,
    ) -> None:
        self.seed = seed
        self.wove = importlib.metadata.version("wove") if wove is None else wove
        self.python = platform.python_version() if python is None else python
        self.not_tried: dict[str, str] = {}
        """The tests that were not tried with any fault, each with the reason."""
        self._faults = dict.fromkeys(faults)
        self._cells: dict[str, dict[str, Cell]] = {}
        self._repeats: dict[tuple[str, str], Counter[Verdict]] = {}
        self._journals = 0

    def add(self, nodeid: str, fault: str, cell: Cell) -> None:
        """Add the verdict on a test with ``fault``. Of a test that runs several times under one
        node id (``--dist each``, plugins that repeat tests) the worst verdict counts."""
        cell = self._without_excess(cell)
        self._faults.setdefault(fault)
        cells = self._cells.setdefault(nodeid, {})
        before = cells.get(fault)
        if before is None:
            cells[fault] = cell
            return
        verdicts = self._repeats.setdefault((nodeid, fault), Counter([before.verdict]))
        verdicts[cell.verdict] += 1
        cells[fault] = min(before, cell, key=lambda each: (_SEVERITY[each.verdict], each.detail))

    def _without_excess(self, cell: Cell) -> Cell:
        limit = JOURNALS if cell.verdict in FAILING else JOURNALS // 4
        if self._journals + len(cell.journal) > limit:
            return replace(cell, journal=_NOT_KEPT.format(limit=limit))
        self._journals += len(cell.journal)
        return cell

    def skip_test(self, nodeid: str, reason: str) -> None:
        """Note that a test was not tried with any fault, and why."""
        self.not_tried[nodeid] = reason

    @property
    def tests(self) -> list[str]:
        """The tests that were tried, or were to be tried, with a fault."""
        return sorted({*self._cells, *self.not_tried}, key=_natural)

    @property
    def faults(self) -> list[str]:
        """The faults, in the order of the catalogue, and a user's own last."""
        return sorted(self._faults, key=_fault_place)

    @property
    def families(self) -> dict[str, list[str]]:
        """The faults by family."""
        families: dict[str, list[str]] = {}
        for fault in self.faults:
            families.setdefault(family(fault), []).append(fault)
        return families

    def cell(self, nodeid: str, fault: str) -> Cell | None:
        """Return the verdict on one test with one fault; ``None`` if they were not tried."""
        cell = self._cells.get(nodeid, {}).get(fault)
        verdicts = self._repeats.get((nodeid, fault))
        if cell is None or verdicts is None or len(verdicts) < 2:
            return cell
        counts = ", ".join(f"{verdicts[each]} {SHOWN[each]}" for each in VERDICTS if verdicts[each])
        return replace(cell, detail=f"{cell.detail} (of {verdicts.total()} runs: {counts})")

    def entries(self, tests: Iterable[str] | None = None) -> list[Entry]:
        """Return the cells of ``tests``, or of all tests: by test, then by fault."""
        chosen = self.tests if tests is None else tests
        faults = self.faults
        every = ((nodeid, fault, self.cell(nodeid, fault)) for nodeid in chosen for fault in faults)
        return [Entry(nodeid, fault, cell) for nodeid, fault, cell in every if cell is not None]

    def failing(self) -> list[Entry]:
        """Return the cells with a failing verdict, worst first."""
        found = [each for each in self.entries() if each.cell.verdict in FAILING]
        return sorted(found, key=lambda each: _SEVERITY[each.cell.verdict])

    def exit_failing(self, *, strict: bool = False) -> bool:
        """Whether the session fails: a test has a failing verdict, or with ``strict`` one that is
        ``handled``."""
        failing = {*FAILING, "handled"} if strict else {*FAILING}
        return any(c.verdict in failing for cells in self._cells.values() for c in cells.values())

    def as_json(self) -> dict[str, Any]:
        """Return the matrix in its JSON form. A test that was not tried is ``skipped`` with every
        fault; what a session that was interrupted did not try is left out."""
        tests: dict[str, dict[str, Any]] = {}
        for nodeid in self.tests:
            row = {each.fault: _as_json(each.cell) for each in self.entries([nodeid])}
            if not row and nodeid in self.not_tried:
                reason = Cell("skipped", f"not tried: {self.not_tried[nodeid]}", 0.0)
                row = {fault: _as_json(reason) for fault in self.faults}
            tests[nodeid] = row
        return {
            "version": VERSION,
            "wove": self.wove,
            "python": self.python,
            "seed": self.seed,
            "tests": tests,
        }

    @classmethod
    def from_json(cls, document: Any) -> Matrix:
        """Return the matrix whose :meth:`as_json` is ``document``. It has no journals and no
        sentences about customers, which are not in the JSON form. Raises :class:`UsageError` for a
        document of another form."""
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise UsageError(f"not a JSON report of a survival matrix of version {VERSION}")
        try:
            matrix = cls(
                seed=_typed(document, "seed", int),
                wove=_typed(document, "wove", str),
                python=_typed(document, "python", str),
            )
            for nodeid, row in _typed(document, "tests", dict).items():
                matrix._cells.setdefault(nodeid, {})
                for fault, cell in row.items():
                    matrix.add(nodeid, fault, _from_json(cell))
        except (KeyError, TypeError, AttributeError, ValueError) as exc:
            raise UsageError(f"a JSON report of a survival matrix with a mistake: {exc}") from None
        return matrix


def family(fault: str) -> str:
    """Return the family of a fault that is given as text: its stage, or :data:`OWN_FAULTS`."""
    kind = FAULTS.get(_name(fault))
    return OWN_FAULTS if kind is None else kind.stage


def by_test(entries: Iterable[Entry]) -> dict[str, dict[str, Cell]]:
    """Return the cells by test and fault, in the order of ``entries``."""
    rows: dict[str, dict[str, Cell]] = {}
    for each in entries:
        rows.setdefault(each.nodeid, {})[each.fault] = each.cell
    return rows


def counts(entries: Iterable[Entry]) -> Counter[Verdict]:
    """Return how often each verdict occurs."""
    return Counter(entry.cell.verdict for entry in entries)


def reasons(entries: Iterable[Entry], verdict: Verdict) -> list[tuple[str, int]]:
    """Return the details of the cells with ``verdict``, each with its number, most frequent
    first."""
    return _by_number(entry.cell.detail for entry in entries if entry.cell.verdict == verdict)


def expected(matrix: Matrix) -> list[tuple[str, int]]:
    """Return the faults that Wove itself could not contain, with the reason, each with the number
    of tests. (The details also say what each test has seen.)"""
    found = (entry for entry in matrix.entries() if entry.cell.verdict == "expected")
    return _by_number(f"{entry.fault}: {_why(entry, matrix.wove)}" for entry in found)


def _why(entry: Entry, wove: str) -> str:
    kind = FAULTS.get(_name(entry.fault))
    return (None if kind is None else kind.why_uncontained(wove)) or entry.cell.detail


def _by_number(texts: Iterable[str]) -> list[tuple[str, int]]:
    return sorted(Counter(texts).items(), key=lambda each: (-each[1], each[0]))


def _as_json(cell: Cell) -> dict[str, Any]:
    return {
        "verdict": cell.verdict,
        "detail": cell.detail,
        "seconds": round(cell.seconds, 3) if math.isfinite(cell.seconds) else 0.0,
    }


def _from_json(cell: Mapping[str, Any]) -> Cell:
    verdict = _typed(cell, "verdict", str)
    if verdict not in SHOWN:
        raise ValueError(f"verdict {verdict!r}")
    return Cell(verdict, _typed(cell, "detail", str), float(_typed(cell, "seconds", (int, float))))


def _typed(values: Mapping[str, Any], name: str, kind: Any) -> Any:
    value = values[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}")
    return value


def _name(fault: str) -> str:
    return fault.partition(" ")[0]


def _fault_place(fault: str) -> tuple[int, tuple[Any, ...]]:
    return _FAULT_ORDER.get(_name(fault), len(_FAULT_ORDER)), _natural(fault)


def _natural(text: str) -> tuple[Any, ...]:
    """Return a key that sorts ``test[2]`` before ``test[10]``."""
    # Every second part is digits, so parts of one kind are compared. (int() refuses 5,000 digits.)
    parts = _DIGITS.split(text)
    return tuple(
        (len(part.lstrip("0")), part.lstrip("0"), part) if number % 2 else part
        for number, part in enumerate(parts)
    )
