"""Writes a report as a page of GitHub's Markdown, e.g. for a job's summary."""

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
from wove_http_dev.reports.markdown import block, code, joined, table_head, table_row, text, unfold


def markdown(report: Report) -> str:
    """Return the page: the summary, what failed, what was not checked, and every case."""
    page = [f"# Check of {code(report.subject)}\n", f"{text(summary(report))}\n"]
    for title, results in sections(report).items():
        page += [f"## {text(title)}\n", *map(_described, results)]
    page += [f"- {text(line)}" for line in (*not_checked(report), *run_again(report))]
    page.append(unfold("every case", "", "\n".join(_table(report))))
    return joined(page)


def _described(result: Result) -> str:
    lines = [f"### {text(headline(result))}\n"]
    for label, content in rows(result).items():
        if "\n" in content:
            lines.append(f"**{label}**\n\n{block(content, ACTUAL_LIMIT)}\n")
        else:
            lines.append(f"**{label}** {text(content)}\n")
    return "\n".join(lines)


def _table(report: Report) -> Iterator[str]:
    yield from table_head("result", "case", "level", "ms", "why")
    for result in report.results:
        word = word_for(result, strict=report.strict)
        time = f"{result.seconds * 1000:.0f}"
        yield table_row(word, code(result.case.title), result.case.level, time, text(result.reason))
