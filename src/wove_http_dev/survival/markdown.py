"""The survival matrix as a page of GitHub's Markdown: a table, the worst cells, and details to
unfold. It fits a job summary, which GitHub limits to 1 MiB."""

from __future__ import annotations

import html
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from wove_http_dev.printable import shortened
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

LIMIT = 900_000
"""Bytes of the page, of the 1,048,576 that GitHub shows of a job summary."""
JOURNAL = 4_000
"""Characters of the journal of a failing cell; the HTML report has all of it."""
_LONGEST = 1_000
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
_SPECIAL = re.compile(r"[\\`*{}\[\]<>&|~$!]|(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")
"""What has a meaning within a line; an underscore has none within a word."""
_LINKING = re.compile(r"((?<!&)[@#])(?=\w)")
_LEFT_OUT = "\nThe rest is left out, because the page would be too long; the HTML report has all.\n"


def markdown(matrix: Matrix) -> str:
    """Return the page. Text from outside is shown as text, whatever is in it."""
    entries = matrix.entries()
    page = [
        "# Survival of faults\n",
        f"{_text(headline(matrix))}\n",
        f"{_text(versions(matrix))}\n",
    ]
    size = sum(map(_size, page))
    for section in [
        *_worst(problems(matrix)),
        *_families(matrix, entries),
        *_reasons(matrix, entries),
        *_not_tried(matrix),
        *_details(matrix, entries),
    ]:
        size += _size(section)
        if size > LIMIT:
            page.append(_LEFT_OUT)
            break
        page.append(section)
    return "\n".join(page)


def _size(text: str) -> int:
    return len(text.encode("utf-8")) + 1


def _worst(found: Sequence[Problem]) -> Iterator[str]:
    """Yield the table of failing cells, row by row, worst first."""
    if not found:
        return
    yield "## The worst first\n"
    yield from _head("verdict", "test", "faults", "what a customer would have seen")
    for each in found:
        word = f"**{SHOWN[each.verdict]}**"
        faults = ", ".join(_code(entry.fault) for entry in each.entries)
        yield _row(word, _code(each.nodeid), faults, _text(each.sentence))


def _families(matrix: Matrix, entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the table of tests × families, row by row, with the number of each verdict."""
    if not entries:
        return
    yield "\n## Tests and families of faults\n"
    families = matrix.families
    yield from _head("test", *families)
    family_of = {fault: name for name, faults in families.items() for fault in faults}
    whole: dict[str, Counter[Verdict]] = {name: Counter() for name in families}
    for test, row in by_test(entries).items():
        found: dict[str, Counter[Verdict]] = {name: Counter() for name in families}
        for fault, cell in row.items():
            found[family_of[fault]][cell.verdict] += 1
            whole[family_of[fault]][cell.verdict] += 1
        yield _row(_code(test), *map(_counts, found.values()))
    yield _row("**all**", *map(_counts, whole.values()))
    seen = counts(entries)
    shown = [verdict for verdict in VERDICTS if seen[verdict]]
    yield "\n" + "\n".join(f"- {_word(each)}: {_text(MEANINGS[each])}" for each in shown)


def _counts(found: Counter[Verdict]) -> str:
    return "<br>".join(f"{found[each]} {_word(each)}" for each in VERDICTS if found[each])


def _word(verdict: Verdict) -> str:
    return f"**{SHOWN[verdict]}**" if verdict in FAILING else SHOWN[verdict]


def _reasons(matrix: Matrix, entries: Sequence[Entry]) -> Iterator[str]:
    for title, groups in explained(matrix, entries).items():
        yield f"\n## {_text(title)}\n"
        yield "\n".join(f"- {number} × {_text(reason)}" for reason, number in groups)


def _not_tried(matrix: Matrix) -> Iterator[str]:
    missing = untried(matrix)
    if matrix.not_tried or missing:
        yield "\n## Not tried\n"
    for reason, tests in grouped_by_reason(matrix.not_tried):
        yield f"- {_text(reason)}: {', '.join(map(_code, tests))}"
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
        yield _unfold(test, f": {counted(found)}", _cells(row))


def _cells(row: Mapping[str, Cell]) -> str:
    lines = list(_head("fault", "verdict", "seconds", "why"))
    lines += [
        _row(_code(fault), _word(cell.verdict), f"{cell.seconds:.2f}", _text(cell.detail))
        for fault, cell in row.items()
    ]
    journals = [
        _unfold(fault, ": what the worker saw", _block(cell.journal))
        for fault, cell in row.items()
        if cell.verdict in FAILING and cell.journal
    ]
    return "\n".join([*lines, "", *journals])


def _unfold(name: str, more: str, content: str) -> str:
    """Return ``content`` below a line that unfolds it."""
    # These two lines are HTML; after the empty line it is Markdown again.
    code = f"<code>{html.escape(shortened(name, _LONGEST))}</code>"
    return f"<details>\n<summary>{code}{more}</summary>\n\n{content}\n\n</details>\n"


def _block(text: str) -> str:
    """Return ``text`` as a code block, which no line of it ends."""
    shown = shortened(text, JOURNAL, keep="\n")
    ticks = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", shown))])
    return f"{ticks}text\n{shown}\n{ticks}"


def _head(*names: str) -> Iterable[str]:
    return _row(*names), _row(*["---"] * len(names))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    """Return text from outside in the font of code, where GitHub makes no link of a name."""
    shown = shortened(text, _LONGEST)
    if shown.strip() and not set(shown) & {"|", "`"}:
        return f"`{shown}`"
    # A character reference never has a meaning in Markdown (CommonMark, 2.5), not even a table's.
    return f"<code>{_PUNCTUATION.sub(_reference, shown)}</code>"


def _text(text: str) -> str:
    """Return text from outside as text of a paragraph or a table."""
    shown = _SPECIAL.sub(_reference, shortened(text, _LONGEST))
    # GitHub makes links of @user, who is notified, and #1, after it has read the Markdown.
    return _LINKING.sub(r"\1<!-- -->", shown)


def _reference(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
