"""The survival matrix on the terminal: a table that fits its width, then the worst cells first.

Only ASCII characters are the report's own, so it can be read in any locale; what differs by colour
differs by letter or word too.
"""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from rich.cells import cell_len, set_cell_size

from wove_http_dev.printable import shortened
from wove_http_dev.survival.matrix import VERDICTS, Entry, Matrix, by_test, counts
from wove_http_dev.survival.summary import (
    LETTERS,
    Problem,
    counted,
    explained,
    grouped_by_reason,
    headline,
    plural,
    problems,
    untried,
    versions,
)
from wove_http_dev.survival.verdicts import FAILING, SHOWN, Cell, Verdict

ROWS = 50
"""Tests that are a row of the table; of more tests only those with a failing verdict are."""
WORST = 50
"""Problems that are listed."""
GROUPS = 12
"""Reasons for one verdict that get a line."""
NAMED_TESTS = 5
"""Tests that are named where several were not tried for one reason."""
COLOURS: Mapping[Verdict, str] = MappingProxyType(
    {
        **dict.fromkeys(FAILING, "red"),
        "expected": "yellow",
        "survived": "green",
        "handled": "green",
    }
)
"""The colours of verdicts, in the words of pytest's ``TerminalWriter``."""
Paint = Callable[..., str]
"""``paint(text, red=True)`` returns ``text`` in a colour, or unchanged: pytest's
``TerminalWriter.markup``."""
_LONGEST = 1_000
_NARROWEST_NAME = 20
_FAMILY_CELL = len("12W+12")
_GAP = "  "
_COUNTS = "A number counts the family's faults with its worst verdict, +n others that fail."
_MORE = "--wove-http-faults-report=FILE.html has all"
_ASCII = str.maketrans({"…": "...", "×": "x", "—": "-", "–": "-", "’": "'", "“": '"', "”": '"'})


def _plain(text: str, **_: bool) -> str:
    return text


def terminal_lines(
    matrix: Matrix, width: int = 80, *, paint: Paint = _plain, encoding: str = "utf-8"
) -> list[str]:
    """Return the lines of the report for a terminal that is ``width`` columns wide. What
    ``encoding`` cannot express is written as an escape."""
    if not matrix.tests:
        return [
            "no test that uses a worker was tried",
            "(a fixture of your own that starts HttpWorker says so by wove_http_adopt(worker))",
        ]
    pen = _Pen(max(width, 40), paint, encoding)
    entries = matrix.entries()
    return [
        *_Table(matrix, pen).lines(),
        *_totals(matrix, entries, pen),
        *_worst(problems(matrix), pen),
        *_reasons(matrix, entries, pen),
        *_not_tried(matrix, pen),
    ]


class _Pen:
    """Writes text for a terminal of ``width`` columns."""

    def __init__(self, width: int, paint: Paint, encoding: str) -> None:
        self.width = width
        self._paint = paint
        self._encoding = encoding

    def text(self, text: str) -> str:
        """Return text from outside: escaped, bounded, in characters that the terminal has."""
        shown = shortened(text, _LONGEST)
        if shown.isascii():
            return shown
        try:
            shown.encode(self._encoding)
        except (UnicodeError, LookupError):
            return shown.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")
        return shown

    def verdict(self, verdict: Verdict, text: str) -> str:
        """Return ``text`` in the colour of ``verdict``."""
        colour = COLOURS.get(verdict)
        return text if colour is None else self._paint(text, **{colour: True})

    def wrapped(self, text: str, indent: str = "") -> list[str]:
        """Return ``text`` in lines of at most ``width`` columns."""
        # textwrap counts characters, and a wide one takes two columns.
        width = self.width if cell_len(text) == len(text) else self.width // 2
        # A name that is longer is left whole, to be copied.
        return textwrap.wrap(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def end_of(self, name: str, width: int) -> str:
        """Return ``name`` padded to ``width`` columns, or its end, in which names differ."""
        if cell_len(name) <= width:
            return set_cell_size(name, width)
        begin = len(name)
        room = width - len("...")
        while begin and room >= (size := cell_len(name[begin - 1])):
            begin -= 1
            room -= size
        return set_cell_size(f"...{name[begin:]}", width)


class _Table:
    """The table of tests × faults: with a word for each cell where that fits, else with a letter,
    else with a count for each family."""

    def __init__(self, matrix: Matrix, pen: _Pen) -> None:
        self._pen = pen
        self._families = matrix.families
        self._faults = matrix.faults
        self._rows = by_test(matrix.entries())

    def lines(self) -> list[str]:
        """Return the lines of the table, and an empty one."""
        if not self._rows:
            return []
        tests = self._shown_tests()
        prefix = _common_place(tests)
        names = {test: self._pen.text(test[len(prefix) :]) for test in tests}
        lines = [f"tests in {self._pen.text(prefix)}"] if prefix else []
        lines += self._fitting(names)
        left_out = len(self._rows) - len(tests)
        if left_out:
            others = "" if len(tests) == ROWS else ", none with a failing verdict"
            lines += self._pen.wrapped(f"and {plural(left_out, 'more test')}{others}; {_MORE}")
        return [*lines, ""]

    def _shown_tests(self) -> list[str]:
        if len(self._rows) <= ROWS:
            return list(self._rows)
        return [
            test
            for test, row in self._rows.items()
            if any(cell.verdict in FAILING for cell in row.values())
        ][:ROWS]

    def _fitting(self, names: Mapping[str, str]) -> list[str]:
        name_width = max(cell_len(name) for name in [*names.values(), "test"])
        words = {f: max(cell_len(self._pen.text(f)), len("RAN TWICE")) for f in self._faults}
        if name_width + _width(words) <= self._pen.width:
            return self._grid(names, name_width, words, self._word)
        letters = {name: max(len(name), len(each)) for name, each in self._families.items()}
        if name_width + _width(letters) <= self._pen.width:
            return [*self._grid(names, name_width, letters, self._letters), *self._legend()]
        families = {name: max(len(name), _FAMILY_CELL) for name in self._families}
        room = self._pen.width - _width(families)
        if room >= _NARROWEST_NAME:
            name_width = min(name_width, room)
            grid = self._grid(names, name_width, families, self._family)
            return [*grid, *self._legend(), *self._pen.wrapped(_COUNTS)]
        return self._sums(names)

    def _grid(
        self,
        names: Mapping[str, str],
        name_width: int,
        columns: Mapping[str, int],
        draw: Callable[[Mapping[str, Cell], str], list[tuple[Verdict | None, str]]],
    ) -> list[str]:
        """Return a heading and a line for each test. ``draw`` returns the parts of a cell's text,
        with the verdict that colours each."""
        heading = set_cell_size("test", name_width)
        heading += "".join(
            _GAP + set_cell_size(self._pen.text(name), size) for name, size in columns.items()
        )
        lines = [heading.rstrip()]
        for test, name in names.items():
            line = self._pen.end_of(name, name_width)
            for column, size in columns.items():
                parts = draw(self._rows[test], column)
                line += _GAP + "".join(
                    text if verdict is None else self._pen.verdict(verdict, text)
                    for verdict, text in parts
                )
                line += " " * (size - sum(len(text) for _, text in parts))
            lines.append(line.rstrip())
        return lines

    def _word(self, row: Mapping[str, Cell], fault: str) -> list[tuple[Verdict | None, str]]:
        cell = row.get(fault)
        return [] if cell is None else [(cell.verdict, SHOWN[cell.verdict])]

    def _letters(self, row: Mapping[str, Cell], family: str) -> list[tuple[Verdict | None, str]]:
        cells = [row.get(fault) for fault in self._families[family]]
        return [(c.verdict, LETTERS[c.verdict]) if c else (None, " ") for c in cells]

    def _family(self, row: Mapping[str, Cell], family: str) -> list[tuple[Verdict | None, str]]:
        """Return how many cells have the worst verdict, with its letter, and how many others fail:
        ``2W+3``."""
        found = Counter(row[fault].verdict for fault in self._families[family] if fault in row)
        worst = next((verdict for verdict in VERDICTS if found[verdict]), None)
        if worst is None:
            return []
        others = sum(found[each] for each in FAILING if each != worst)
        return [(worst, f"{found[worst]}{LETTERS[worst]}" + (f"+{others}" if others else ""))]

    def _legend(self) -> list[str]:
        seen = {cell.verdict for row in self._rows.values() for cell in row.values()}
        return self._pen.wrapped(
            _GAP.join(f"{LETTERS[each]} {SHOWN[each]}" for each in VERDICTS if each in seen)
        )

    def _sums(self, names: Mapping[str, str]) -> list[str]:
        """Return the lines for a terminal that is too narrow for a table."""
        lines: list[str] = []
        for test, name in names.items():
            found = Counter(cell.verdict for cell in self._rows[test].values())
            lines += [name, *self._pen.wrapped(counted(found), "    ")]
        return lines


def _width(columns: Mapping[str, int]) -> int:
    return sum(len(_GAP) + size for size in columns.values())


def _common_place(tests: Sequence[str]) -> str:
    """Return what all tests begin with: a file, a class or a folder."""
    common = os.path.commonprefix(list(tests)).partition("[")[0]  # noqa: RUF071  # no paths
    return common[: max(common.rfind("::") + 2 if "::" in common else 0, common.rfind("/") + 1)]


def _totals(matrix: Matrix, entries: Sequence[Entry], pen: _Pen) -> list[str]:
    """Return a table of families × verdicts, and the headline."""
    whole = counts(entries)
    sizes = {each: max(len(SHOWN[each]), len(str(whole[each]))) for each in VERDICTS if whole[each]}
    lines = [*pen.wrapped(headline(matrix)), *pen.wrapped(versions(matrix))]
    rows: dict[str, Counter[Verdict]] = {}
    for name, faults in matrix.families.items():
        members = set(faults)
        rows[name] = counts(each for each in entries if each.fault in members)
    rows["total"] = whole
    first = max(map(len, rows))
    if not sizes or first - 1 + sum(size + len(_GAP) for size in sizes.values()) > pen.width:
        return lines
    heading = " ".join([" " * first, _GAP.join(f"{SHOWN[v]:>{n}}" for v, n in sizes.items())])
    table = [heading]
    for name, found in rows.items():
        numbers = [
            pen.verdict(v, f"{found[v]:>{n}}") if found[v] else f"{0:>{n}}"
            for v, n in sizes.items()
        ]
        table.append(" ".join([f"{name:{first}}", _GAP.join(numbers)]))
    return [*table, "", *lines]


def _worst(found: Sequence[Problem], pen: _Pen) -> list[str]:
    """Return a line for each problem: verdict, test, fault, and what a customer would have seen. A
    line that does not fit is continued below, indented."""
    if not found:
        return []
    lines = ["", *pen.wrapped("The worst first, with what a customer would have seen:")]
    for problem in found[:WORST]:
        word = SHOWN[problem.verdict]
        faults = [pen.text(each.fault) for each in problem.entries]
        place = _GAP.join([pen.text(problem.nodeid), *(faults if len(faults) == 1 else [])])
        text = pen.text(problem.sentence)
        begin = f"{pen.verdict(problem.verdict, word)}{_GAP}{place}"
        if len(faults) == 1 and cell_len(_GAP.join([word, place, text])) <= pen.width:
            lines.append(f"{begin}{_GAP}{text}")
            continue
        lines += [begin, *pen.wrapped(text, "    ")]
        if len(faults) > 1:
            lines += pen.wrapped(f"with {len(faults)} faults: {', '.join(faults)}", "    ")
    if len(found) > WORST:
        lines += pen.wrapped(f"and {len(found) - WORST} more; {_MORE}")
    return lines


def _reasons(matrix: Matrix, entries: Sequence[Entry], pen: _Pen) -> list[str]:
    """Return the reasons of cells that are expected or skipped, with their numbers."""
    lines: list[str] = []
    for title, groups in explained(matrix, entries).items():
        lines += ["", *pen.wrapped(f"{title}:")]
        for reason, number in groups[:GROUPS]:
            first, *others = pen.wrapped(pen.text(reason), " " * 7) or [""]
            lines += [f"{number:>5}  {first.strip()}".rstrip(), *others]
        if len(groups) > GROUPS:
            rest = sum(number for _, number in groups[GROUPS:])
            lines += pen.wrapped(f"{rest:>5}  for other reasons; {_MORE}")
    return lines


def _not_tried(matrix: Matrix, pen: _Pen) -> list[str]:
    """Return which tests were not tried and why, and how many cells are missing."""
    lines: list[str] = []
    for reason, tests in grouped_by_reason(matrix.not_tried):
        named = ", ".join(map(pen.text, tests[:NAMED_TESTS]))
        more = f", and {len(tests) - NAMED_TESTS} more" if len(tests) > NAMED_TESTS else ""
        lines += ["", f"{plural(len(tests), 'test')} not tried: {pen.text(reason)}"]
        lines += pen.wrapped(named + more, "    ")
    missing = untried(matrix)
    if missing:
        lines += ["", f"{plural(missing, 'cell')} not tried: the session ended before"]
    return lines
