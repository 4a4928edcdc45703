"""Common parts of ``check worker`` and ``check executor``: options, selection, reports, exit
status."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wove_http_dev.cli.arguments import described, help_only
from wove_http_dev.errors import UsageError

if TYPE_CHECKING:
    from wove_http_dev.conformance.case import Case, Report


JOBS = 4
"""How many cases run at a time, by default. Most of their time is spent waiting."""
MOST_JOBS = 16
REPORT_FORMS = (".md", ".html")
"""How the name of a report for people may end."""


def add_check_command(commands: Any) -> Any:
    """Add ``check`` to an argparse subparsers action. Returns the action to which ``worker`` and
    ``executor`` are added."""
    check = commands.add_parser(
        "check",
        help="check a worker service or an executor",
        **described(
            "Sends numbered cases to a worker service, or to an executor, that you wrote, and says"
            " of each failed one what is required, by whom, and what was seen.",
            "wove-http-dev check worker --help",
            "wove-http-dev check executor --help",
        ),
    )
    kinds = check.add_subparsers(title="what to check", metavar="worker|executor")
    check.set_defaults(run=help_only(check))
    return kinds


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that select cases and write reports."""
    parser.add_argument("--list", action="store_true", help="list the cases and their sources")
    for flag, doc in (
        ("--run", "run only cases that match: an id, a name, a family or both, e.g. 'auth.*'"),
        ("--exclude", "leave out cases that match"),
    ):
        parser.add_argument(
            flag,
            dest=f"{flag.lstrip('-')}_globs",
            metavar="GLOB",
            action="append",
            default=[],
            help=f"{doc}; may be given more than once",
        )
    parser.add_argument("--strict", action="store_true", help="SHOULD counts like MUST")
    parser.add_argument(
        "--known-failing",
        metavar="FILE",
        help="ids or globs of cases known to fail, one on a line, # for comments, perhaps with a"
        " condition: 'GLOB ; python_version >= \"3.11\"'; one that passes fails the check",
    )
    parser.add_argument(
        "--known-flaky",
        metavar="FILE",
        help="the same for cases that may fail or pass: neither fails the check",
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=_jobs,
        default=JOBS,
        help=f"how many cases run at a time (default: {JOBS}); those that measure something or"
        " disturb others run alone in any case",
    )
    parser.add_argument(
        "--report",
        type=os.path.abspath,
        metavar="FILE",
        action="append",
        default=[],
        help="write the report for people, as FILE.md (a job's summary) or as FILE.html (one file);"
        " may be given more than once",
    )
    for flag, form in (("--json", "JSON"), ("--junit-xml", "JUnit XML")):
        parser.add_argument(
            flag, type=os.path.abspath, metavar="FILE", help=f"write the report as {form}"
        )


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_JOBS}")
    return int(text)


def chosen_cases(namespace: argparse.Namespace, cases: Sequence[Case]) -> list[Case]:
    """Return the cases that ``--run`` and ``--exclude`` select.

    Raises :class:`UsageError` if there are none, if a glob matches no case (a misspelt one would
    leave out what the user wants to check), or if a report could not be written afterwards.
    """
    from wove_http_dev.conformance.known_failures import no_match
    from wove_http_dev.conformance.runner import select
    from wove_http_dev.reports.file import report_path, require_writable

    for flag, globs in (("--run", namespace.run_globs), ("--exclude", namespace.exclude_globs)):
        for glob in globs:
            if not any(case.matches(glob) for case in cases):
                raise UsageError(f"{flag} {no_match(glob, cases)}")
    chosen = select(cases, namespace.run_globs, namespace.exclude_globs)
    if not chosen:
        raise UsageError("no case is left: --exclude leaves out each one that --run chooses")
    for flag, name in (("--json", namespace.json), ("--junit-xml", namespace.junit_xml)):
        if name is not None:
            require_writable(name, flag)
    for name in namespace.report:
        report_path(name, "--report", REPORT_FORMS)
    return chosen


def finish(namespace: argparse.Namespace, report: Report) -> int:
    """Print and write ``report``, and return the exit status: 1 if a case failed or could not be
    run, else 0.

    Raises :class:`UsageError` for a file that cannot be written.
    """
    from rich.console import Console

    from wove_http_dev.conformance.reporters.console import print_report
    from wove_http_dev.conformance.reporters.html import html
    from wove_http_dev.conformance.reporters.json import write_json
    from wove_http_dev.conformance.reporters.junit import write_junit_xml
    from wove_http_dev.conformance.reporters.markdown import markdown
    from wove_http_dev.reports.file import write_text

    print_report(Console(highlight=False), report)
    for flag, name, write in (
        ("--json", namespace.json, write_json),
        ("--junit-xml", namespace.junit_xml, write_junit_xml),
    ):
        if name is None:
            continue
        try:
            write(Path(name), report)
        except OSError as exc:
            raise UsageError(f"{flag} {name}: {exc.strerror or exc}") from exc
    forms = dict(zip(REPORT_FORMS, (markdown, html), strict=True))
    for path in map(Path, namespace.report):
        write_text(path, forms[path.suffix](report))
    return report.exit_status
