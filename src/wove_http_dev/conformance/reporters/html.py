"""Writes a report as one HTML file, which loads nothing."""

from __future__ import annotations

from collections.abc import Iterator

from wove_http_dev.conformance.case import ACTUAL_LIMIT, Report, Result
from wove_http_dev.conformance.reporters.failed_case import headline, rows
from wove_http_dev.conformance.reporters.sections import (
    not_checked,
    run_again,
    sections,
    word_for,
)
from wove_http_dev.conformance.reporters.verdict import summary
from wove_http_dev.reports.html import block, page, text

_STYLE = """\
th, td { text-align: left; vertical-align: top; padding: .1rem .7rem .1rem 0; }
td { border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; overflow-wrap: anywhere; }
.bad { color: var(--bad); font-weight: 600; }
"""


def html(report: Report) -> str:
    """Return the page: the summary, what failed, what was not checked, and every case."""
    title = f"Check of {report.subject}"
    body = [f"<main>\n<h1>{text(title)}</h1>\n<p>{text(summary(report))}</p>"]
    for name, results in sections(report).items():
        body += [f"<h2>{text(name)}</h2>", *map(_described, results)]
    body += [f"<p>{text(line)}</p>" for line in (*not_checked(report), *run_again(report))]
    body += ["<h2>Every case</h2>", *_table(report), "</main>"]
    return page(title, body, style=_STYLE)


def _described(result: Result) -> str:
    terms = "".join(f"<dt>{name}</dt><dd>{_shown(it)}</dd>" for name, it in rows(result).items())
    return f"<h3>{text(headline(result))}</h3>\n<dl>{terms}</dl>"


def _shown(content: str) -> str:
    return block(content, ACTUAL_LIMIT) if "\n" in content else text(content)


def _table(report: Report) -> Iterator[str]:
    names = ("result", "case", "level", "ms", "why")
    yield f"<table><thead><tr>{''.join(f'<th>{name}</th>' for name in names)}</tr></thead><tbody>"
    for result in report.results:
        bad = ' class="bad"' if result.is_shortfall(strict=report.strict) else ""
        yield (
            f"<tr><td{bad}>{word_for(result, strict=report.strict)}</td>"
            f"<td><code>{text(result.case.title)}</code></td><td>{result.case.level}</td>"
            f"<td>{result.seconds * 1000:.0f}</td><td>{text(result.reason)}</td></tr>"
        )
    yield "</tbody></table>"
