"""Prints a check on the terminal: one line after each case, and the report at the end.

All text is printed as rich ``Text``, so that rich does not read brackets in a service's answers as
markup.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from wove_http_dev.conformance.case import (
    FAILED,
    NOT_RUN,
    PASSED,
    SKIPPED,
    Case,
    Report,
    Result,
)
from wove_http_dev.conformance.reporters.failed_case import describe
from wove_http_dev.conformance.reporters.sections import (
    not_checked,
    run_again,
    sections,
    word_for,
)
from wove_http_dev.conformance.reporters.verdict import summary

_STYLES = {PASSED: "green", FAILED: "red", SKIPPED: "dim", NOT_RUN: "red"}


def _style(result: Result, *, strict: bool) -> str:
    if result.status == FAILED and not result.is_shortfall(strict=strict):
        return "yellow"
    return "red" if result.is_shortfall(strict=strict) else _STYLES[result.status]


class Progress:
    """Prints one line for each result while a check runs."""

    def __init__(self, console: Console, *, strict: bool) -> None:
        self._console = console
        self._strict = strict

    def __call__(self, result: Result) -> None:
        """Print one line for ``result``. A case that was not run gets none; the report lists those
        at the end."""
        if result.status == NOT_RUN:
            return
        line = Text()
        word = word_for(result, strict=self._strict)
        line.append(f"{word:8}", style=_style(result, strict=self._strict))
        line.append(result.case.title)
        if result.status == SKIPPED:
            line.append(f"  {result.reason}", style="dim")
        else:
            line.append(f"  {result.seconds * 1000:.0f} ms", style="dim")
        self._console.print(line, overflow="ignore", crop=False, no_wrap=True)


def print_report(console: Console, report: Report) -> None:
    """Print every failed case, the cases that were not run, and a summary."""

    for title, results in sections(report).items():
        style = (
            "bold red"
            if any(r.is_shortfall(strict=report.strict) for r in results)
            else "bold yellow"
        )
        console.print(Text(f"\n{title}\n", style=style))
        for result in results:
            console.print(Text(f"{describe(result)}\n"), soft_wrap=True)
    for line in not_checked(report):
        console.print(Text(f"\n{line}", style="bold red"), soft_wrap=True)
    for line in run_again(report):
        console.print(Text(f"\n{line}", style="dim"), soft_wrap=True)
    console.print(Text(f"\n{summary(report)}"), soft_wrap=True)


def print_list(console: Console, cases: Iterable[Case]) -> None:
    """Print each case: title, level, requirement, source and scenario."""
    for case in cases:
        line = Text(f"{case.title}", style="bold")
        line.append(f"  {case.level}", style="not bold")
        console.print(line, soft_wrap=True)
        console.print(Text(f"    {case.requirement} [{case.source}]"), soft_wrap=True)
        console.print(Text(f"    scenario: {case.scenario}"), soft_wrap=True)
