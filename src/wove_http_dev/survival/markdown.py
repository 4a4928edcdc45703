"""The survival matrix as a page of GitHub's Markdown: a table, the worst cells, and details to
unfold. It fits a job summary, which GitHub limits to 1 MiB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from wove_http_dev.reports.markdown import block, code, joined, table_head, table_row, text, unfold
from wove_http_dev.survival.matrix import VERDICTS, Entry, Matrix, by_test, counts
from wove_http_dev.survival.summary import (
    MEANINGS,
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

JOURNAL = 4_000
"""Characters of the journal of a failing cell; the HTML report has all of it."""


def markdown(matrix: Matrix) -> str:
    """Return the page. Text from outside is shown as text, whatever is in it."""
    entries = matrix.entries()
    page = [
        "# Survival of faults\n",
        f"{text(headline(matrix))}\n",
        f"{text(versions(matrix))}\n",
    ]
    sections = [
        *_worst(problems(matrix)),
        *_families(matrix, entries),
        *_reasons(matrix, entries),
        *_not_tried(matrix),
        *_details(matrix, entries),
    ]
    return joined([*page, *sections])


def _worst(found: Sequence[Problem]) -> Iterator[str]:
    """Yield the table of failing cells, row by row, worst first."""
    if not found:
        return
    yield "## The worst first\n"
    yield from table_head("verdict", "test", "faults", "what a customer would have seen")
    for each in found:
        word = f"**{SHOWN[each.verdict]}**"
        faults = ", ".join(code(entry.fault) for entry in each.entries)
        yield table_row(word, code(each.nodeid), faults, text(each.sentence))


def _families(matrix: Matrix, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the table of tests × families, row by row, with the number of each verdict."""
    if not entries:
        return
    yield "\n## Tests and families of faults\n"
    families = matrix.families
    yield from table_head("test", *families)
    family_of = {fault: name for name, faults in families.items() for fault in faults}
    whole: dict[str, Counter[Verdict]] = {name: Counter() for name in families}
    for test, row in by_test(entries).items():
        found: dict[str, Counter[Verdict]] = {name: Counter() for name in families}
        for fault, cell in row.items():
            found[family_of[fault]][cell.verdict] += 1
            whole[family_of[fault]][cell.verdict] += 1
        yield table_row(code(test), *map(_counts, found.values()))
    yield table_row("**all**", *map(_counts, whole.values()))
    seen = counts(entries)
    shown = [verdict for verdict in VERDICTS if seen[verdict]]
    yield "\n" + "\n".join(f"- {_word(each)}: {text(MEANINGS[each])}" for each in shown)


def _counts(found: Counter[Verdict]) -> str:
    return "<br>".join(f"{found[each]} {_word(each)}" for each in VERDICTS if found[each])


def _word(verdict: Verdict) -> str:
    return f"**{SHOWN[verdict]}**" if verdict in FAILING else SHOWN[verdict]


def _reasons(matrix: Matrix, entries: Sequence[Entry]) -> Iterator[str]:
    for title, groups in explained(matrix, entries).items():
        yield f"\n## {text(title)}\n"
        yield "\n".join(f"- {number} × {text(reason)}" for reason, number in groups)


def _not_tried(matrix: Matrix) -> Iterator[str]:
    missing = untried(matrix)
    if matrix.not_tried or missing:
        yield "\n## Not tried\n"
    for reason, tests in grouped_by_reason(matrix.not_tried):
        yield f"- {text(reason)}: {', '.join(map(code, tests))}"
    if missing:
        yield f"- {plural(missing, 'cell')}: the session ended before"


def _details(matrix: Matrix, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield a part to unfold for each test, those with failing cells first."""
    rows = by_test(entries)
    if rows:
        yield "\n## Every cell\n"
    for test in dict.fromkeys([*(each.nodeid for each in matrix.failing()), *rows]):
        row = rows[test]
        found = Counter(cell.verdict for cell in row.values())
        yield unfold(test, f": {counted(found)}", _cells(row))


def _cells(row: Mapping[str, Cell]) -> str:
    lines = list(table_head("fault", "verdict", "seconds", "why"))
    lines += [
        table_row(code(fault), _word(cell.verdict), f"{cell.seconds:.2f}", text(cell.detail))
        for fault, cell in row.items()
    ]
    journals = [
        unfold(fault, ": what the worker saw", block(cell.journal, JOURNAL))
        for fault, cell in row.items()
        if cell.verdict in FAILING and cell.journal
    ]
    return "\n".join([*lines, "", *journals])
