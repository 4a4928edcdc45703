"""``check executor``: runs the executor cases in real weaves.

The parser is built without importing Wove, the worker or a case, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wove_http_dev.cli.arguments import described
from wove_http_dev.cli.check import add_report_options, chosen_cases, finish
from wove_http_dev.cli.user_code import end_despite_threads, importable
from wove_http_dev.errors import UsageError
from wove_http_dev.platforms import require_posix

if TYPE_CHECKING:
    from wove_http_dev.conformance.case import Case, Result
    from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest


def add_executor_command(kinds: Any) -> None:
    """Add ``executor`` to the argparse subparsers action of ``check``."""
    parser = kinds.add_parser(
        "executor",
        help="run numbered cases with an executor in real weaves",
        **described(
            "Runs real weaves with an executor, each against a worker that behaves in one known"
            " way, and judges how the executor deals with it. Exit status 0 if it conforms, 1 if a"
            " case failed. It takes 10 to 20 s, and longer on a busy machine.",
            "wove-http-dev check executor myapp.executors:make_executor",
            "wove-http-dev check executor myapp.executors:make_executor --run 'security.*'",
            "wove-http-dev check executor --executor http --known-failing builtin",
            "wove-http-dev check executor --list",
        ),
    )
    parser.add_argument(
        "factory",
        metavar="MODULE:FACTORY",
        nargs="?",
        help="a class or function without arguments that returns an EnvironmentExecutor; the"
        " working directory is put on the import path",
    )
    parser.add_argument(
        "--executor", metavar="http|https", help="check one of Wove's own executors instead"
    )
    add_report_options(parser)
    for action in parser._actions:
        if action.dest == "known_failing":
            action.help = (
                f"{action.help}; 'builtin': the list shipped for the executors of this Wove"
            )
    parser.set_defaults(run=_check_executor)


def _check_executor(namespace: argparse.Namespace) -> int:
    from rich.console import Console

    from wove_http_dev.conformance.case import Report
    from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
    from wove_http_dev.conformance.known_failures import (
        SHIPPED,
        read_known_failing,
        read_known_flaky,
        shipped_list,
    )
    from wove_http_dev.conformance.reporters.console import print_list

    chosen = chosen_cases(namespace, EXECUTOR_CASES)
    if namespace.list:
        print_list(Console(highlight=False), chosen)
        return 0
    require_posix("check executor")
    _one_of_two(namespace)
    if namespace.known_failing == SHIPPED:
        known = shipped_list(EXECUTOR_CASES)
    else:
        known = read_known_failing(namespace.known_failing, EXECUTOR_CASES, shipped=True)
    flaky = read_known_flaky(namespace.known_flaky, EXECUTOR_CASES)
    began = time.monotonic()
    label, results = _results(namespace, chosen, known, flaky)
    report = Report(
        *(label, results, namespace.strict, time.monotonic() - began),
        left_out=len(EXECUTOR_CASES) - len(chosen),
    )
    status = finish(namespace, report)
    end_despite_threads(status)
    return status


def _one_of_two(namespace: argparse.Namespace) -> None:
    from wove_http_dev.conformance.known_failures import SHIPPED

    if (namespace.factory is None) is (namespace.executor is None):
        raise UsageError("check executor takes either MODULE:FACTORY or --executor http|https")
    if namespace.factory is not None and namespace.known_failing == SHIPPED:
        raise UsageError(
            "--known-failing builtin is for --executor http|https; give a list of your own"
        )


def _results(
    namespace: argparse.Namespace,
    chosen: Sequence[Case],
    known: Sequence[str],
    flaky: Sequence[str],
) -> tuple[str, list[Result]]:
    from rich.console import Console

    from wove_http_dev.conformance.case import printable
    from wove_http_dev.conformance.executor.context import Session
    from wove_http_dev.conformance.executor.own_process import trusted_ca
    from wove_http_dev.conformance.executor.suite import BUDGET, PREREQUISITES
    from wove_http_dev.conformance.reporters.console import Progress
    from wove_http_dev.conformance.runner import Checking

    console = Console(highlight=False)
    with trusted_ca() as ca, importable(os.getcwd()):
        subject = _subject(namespace)
        session = Session(subject, ca)
        checking = Checking(
            session.case,
            budget=BUDGET,
            alive=lambda: True,  # each case starts a new worker
            jobs=namespace.jobs,
            known=known,
            flaky=flaky,
            observer=Progress(console, strict=namespace.strict),
        )
        results = checking.run(chosen, PREREQUISITES)
    if session.uncaught:
        first = " ".join(printable(session.uncaught[0], 200).split())
        console.print(
            f"\n{len(session.uncaught)} thread(s) ended by an uncaught exception (see errors.18),"
            f" the first: {first}",
            markup=False,
        )
    if session.stuck:
        console.print(f"\n{session.stuck} weave(s) never ended, though their workers were stopped")
    return subject.label, results


def _subject(namespace: argparse.Namespace) -> ExecutorUnderTest:
    from wove_http_dev.conformance.executor.executor_under_test import (
        builtin_executor,
        load_executor,
    )

    if namespace.executor:
        return builtin_executor(namespace.executor)
    return load_executor(namespace.factory)
