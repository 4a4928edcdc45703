"""The survival matrix as one HTML file, which loads nothing: a table to sort and to filter, whose
cells open their journals.

The table is complete without JavaScript, which a viewer of build artifacts may forbid. The page's
policy allows this style and this script only, whatever the text of a test or a task is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from wove_http_dev.printable import shortened
from wove_http_dev.reports.html import LONGEST, page, text
from wove_http_dev.survival.matrix import VERDICTS, Entry, Matrix, by_test, counts
from wove_http_dev.survival.summary import (
    LETTERS,
    MEANINGS,
    explained,
    grouped_by_reason,
    headline,
    plural,
    problems,
    untried,
    versions,
)
from wove_http_dev.survival.verdicts import FAILING, SHOWN, Cell, Verdict

WORST = 200
"""Problems that are listed above the table."""
_FOLDER = Path(__file__).parent / "page"
_JOURNAL = 25_000
_DIALOG = """\
<dialog aria-labelledby="cell-test">
<h2 id="cell-test"></h2>
<dl>
<dt>fault</dt><dd><code id="cell-fault"></code></dd>
<dt>verdict</dt><dd><span id="cell-verdict"></span>: <span id="cell-detail"></span></dd>
<dt class="customer">customer</dt><dd class="customer" id="cell-customer"></dd>
<dt>time</dt><dd id="cell-seconds"></dd>
</dl>
<pre id="cell-journal" tabindex="0" role="region" aria-label="journal"></pre>
<button id="close" type="button">Close</button>
</dialog>"""


def html(matrix: Matrix) -> str:
    """Return the page."""
    entries = matrix.entries()
    parts = [
        f"""\
<main>
<h1>Survival of faults</h1>
<p>{text(headline(matrix))}</p>
<p class="quiet">{text(versions(matrix))}</p>""",
        *_worst(matrix, entries),
        "<h2>Tests and faults</h2>",
        *_filter(entries),
        *_table(matrix, entries),
        *_legend(entries),
        *_reasons(matrix, entries),
        "</main>",
        _DIALOG,
        f'<script type="application/json" id="data">{_data(matrix, entries)}</script>',
    ]
    return page("Survival of faults", parts, style=_file("matrix.css"), script=_file("matrix.js"))


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _word(verdict: Verdict) -> str:
    return f'<span class="word {verdict}">{SHOWN[verdict]}</span>'


def _worst(matrix: Matrix, entries: Sequence[Entry]) -> Iterator[str]:
    found = problems(matrix)
    if not found:
        return
    tests = {test: number for number, test in enumerate(by_test(entries))}
    faults = {fault: number for number, fault in enumerate(matrix.faults)}
    yield '<section id="worst"><h2>The worst first</h2><ol>'
    for each in found[:WORST]:
        test = f"<code>{text(each.nodeid)}</code>"
        yield f"<li>{_word(each.verdict)} {test} {text(each.sentence)}<br>"
        for entry in each.entries:
            place = f"{tests[each.nodeid]}-{faults[entry.fault]}"
            name = text(entry.fault)
            yield f'<button type="button" disabled data-cell="{place}">{name}</button>'
        yield "</li>"
    yield "</ol>"
    if len(found) > WORST:
        yield f"<p>and {len(found) - WORST} more, in the table</p>"
    yield "</section>"


def _filter(entries: Sequence[Entry]) -> Iterator[str]:
    found = counts(entries)
    yield '<form id="filter" aria-label="Filter" hidden>'
    for verdict in VERDICTS:
        if found[verdict]:
            box = f'<input type="checkbox" value="{verdict}" checked>'
            yield f"<label>{box}<span>{_word(verdict)} {found[verdict]}</span></label>"
    yield """\
<button id="only-failing" type="button">only failing</button>
<button id="every" type="button">all</button>
<label>test <input id="search" type="search" autocomplete="off"></label>
<span id="shown" role="status" class="quiet"></span>
</form>"""


def _table(matrix: Matrix, entries: Sequence[Entry]) -> Iterator[str]:
    yield '<div id="scroll"><table id="matrix" role="grid" aria-label="Tests and faults">'
    yield '<thead><tr><td class="none corner" colspan="2"></td>'
    first = {faults[0] for faults in matrix.families.values()}
    for name, faults in matrix.families.items():
        span = f'colspan="{len(faults)}" data-family="{name}"'
        yield f'<th scope="colgroup" class="family" {span}>{name}</th>'
    yield f'</tr><tr><th scope="col" class="corner">{_sorter("test")}</th>'
    yield f'<th scope="col">{_sorter("fails")}</th>'
    for name, faults in matrix.families.items():
        for fault in faults:
            kind = "fault first" if fault in first else "fault"
            yield f'<th scope="col" class="{kind}" data-family="{name}">{_sorter(fault)}</th>'
    yield "</tr></thead><tbody>"
    for number, (test, row) in enumerate(by_test(entries).items()):
        failing = sum(cell.verdict in FAILING for cell in row.values())
        cells = "".join(_cell(row.get(fault), fault in first) for fault in matrix.faults)
        yield (
            f'<tr data-test="{number}"><th scope="row"><code>{text(test)}</code></th>'
            f'<td class="number">{failing}</td>{cells}</tr>'
        )
    yield "</tbody></table></div>"


def _sorter(name: str) -> str:
    return f'<button type="button" disabled title="{text(name)}">{text(name)}</button>'


def _cell(cell: Cell | None, first: bool) -> str:
    more = " first" if first else ""
    if cell is None:
        return f'<td class="none{more}"></td>'
    verdict = cell.verdict
    return f'<td class="{verdict}{more}" aria-label="{SHOWN[verdict]}">{LETTERS[verdict]}</td>'


def _legend(entries: Sequence[Entry]) -> Iterator[str]:
    found = counts(entries)
    yield "<ul>"
    for verdict in VERDICTS:
        if found[verdict]:
            meaning = text(MEANINGS[verdict])
            yield f"<li><code>{LETTERS[verdict]}</code> {_word(verdict)}: {meaning}</li>"
    yield "</ul>"


def _reasons(matrix: Matrix, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the reasons of what is expected or skipped, and what was not tried."""
    for title, groups in explained(matrix, entries).items():
        yield f"<h2>{text(title)}</h2><ul>"
        yield from (f"<li>{number} × {text(reason)}</li>" for reason, number in groups)
        yield "</ul>"
    missing = untried(matrix)
    if matrix.not_tried or missing:
        yield "<h2>Not tried</h2><ul>"
        for reason, tests in grouped_by_reason(matrix.not_tried):
            names = ", ".join(f"<code>{text(test)}</code>" for test in tests)
            yield f"<li>{text(reason)}: {names}</li>"
        if missing:
            yield f"<li>{plural(missing, 'cell')}: the session ended before</li>"
        yield "</ul>"


def _data(matrix: Matrix, entries: Sequence[Entry]) -> str:
    """Return what the script shows, as JSON within which no tag begins or ends."""
    faults, rows = matrix.faults, by_test(entries)
    data = {
        "tests": [shortened(test, LONGEST) for test in rows],
        "faults": [shortened(fault, LONGEST) for fault in faults],
        "verdicts": [[verdict, SHOWN[verdict]] for verdict in VERDICTS],
        "failing": FAILING,
        "cells": [
            [_shown(row[fault]) if fault in row else None for fault in faults]
            for row in rows.values()
        ],
    }
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _shown(cell: Cell) -> list[object]:
    seconds = cell.seconds if 0 <= cell.seconds < 1e9 else 0.0  # JSON has no NaN
    return [
        cell.verdict,
        shortened(cell.detail, LONGEST),
        round(seconds, 3),
        shortened(cell.customer, LONGEST),
        shortened(cell.journal, _JOURNAL, keep="\n"),
    ]
