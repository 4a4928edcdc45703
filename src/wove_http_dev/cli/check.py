"""``check worker`` on the command line: flags in, a check, its report, an exit status.

It reads flags and files and turns every mistake into one line; what a case is and how a report
looks, others know. ``check executor`` gets its parser beside ``worker``'s, and shares
:func:`add_report_options`, :func:`chosen_cases` and :func:`finish`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wove_http_dev.errors import UsageError

if TYPE_CHECKING:
    from wove_http_dev.conformance.case import Case, Report, Result
    from wove_http_dev.conformance.worker.client import ServiceUnderTest


def add_check_commands(commands: Any) -> Any:
    """Add ``check worker`` to an argparse subparsers action; the action to add other kinds to."""
    check = commands.add_parser("check", help="check a worker, or an executor, of somebody else's")
    kinds = check.add_subparsers(title="what to check", metavar="WHAT")

    def help_only(_: argparse.Namespace) -> int:
        check.print_help()
        return 2

    check.set_defaults(run=help_only)
    worker = kinds.add_parser("worker", help="a worker service, by numbered cases")
    worker.add_argument("url", metavar="URL", nargs="?", help="the endpoint that takes frames")
    secrets = worker.add_mutually_exclusive_group()
    secrets.add_argument(
        "--secret-env", metavar="NAME", help="environment variable with the signing secret"
    )
    secrets.add_argument(
        "--bearer-env", metavar="NAME", help="environment variable with the bearer token"
    )
    worker.add_argument("--key", default="default", help="the key id (default: default)")
    worker.add_argument("--ca-file", metavar="FILE", help="CA certificate to trust, PEM")
    worker.add_argument(
        "--cmd", metavar="'CMD ARG …'", help="start the service, wait for it, stop it afterwards"
    )
    worker.add_argument(
        "--callback-host",
        metavar="HOST",
        help="the address of this machine that tasks on the worker can connect to",
    )
    add_report_options(worker)
    worker.set_defaults(run=_check_worker)
    return kinds


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """The options of selection and report, the same for every kind of check."""
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
        help="ids or globs of cases known to fail, one on a line, # for comments; one that passes"
        " fails the check",
    )
    parser.add_argument("--json", metavar="FILE", help="write the report as JSON")
    parser.add_argument("--junit-xml", metavar="FILE", help="write the report as JUnit XML")


def chosen_cases(namespace: argparse.Namespace, cases: Sequence[Case]) -> list[Case]:
    """The cases that ``--run`` and ``--exclude`` leave.

    Raises :class:`UsageError` if there are none, or if a report could not be written afterwards.
    """
    from wove_http_dev.conformance.runner import select

    chosen = select(cases, namespace.run_globs, namespace.exclude_globs)
    if not chosen:
        raise UsageError("no case matches; --list shows them")
    for flag, name in (("--json", namespace.json), ("--junit-xml", namespace.junit_xml)):
        if name is not None and not Path(name).absolute().parent.is_dir():
            raise UsageError(f"{flag} {name}: there is no such directory")
    return chosen


def known_failing(name: str | None, cases: Sequence[Case]) -> list[str]:
    """The globs in the file called ``name``. Raises :class:`UsageError`."""
    if name is None:
        return []
    try:
        lines = Path(name).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--known-failing {name}: {_why(exc)}") from exc
    globs = [glob for line in lines if (glob := line.partition("#")[0].strip())]
    for glob in globs:
        if not any(case.matches(glob) for case in cases):
            raise UsageError(f"--known-failing {name}: {glob!r} matches no case; --list shows them")
    return globs


def finish(namespace: argparse.Namespace, report: Report) -> int:
    """Print and write ``report``; the exit status. Raises :class:`UsageError` for a bad file."""
    from rich.console import Console

    from wove_http_dev.conformance.reporters.console import print_report
    from wove_http_dev.conformance.reporters.files import write_json, write_junit_xml

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
            raise UsageError(f"{flag} {name}: {_why(exc)}") from exc
    return report.exit_status


def _why(exc: Exception) -> str:
    return getattr(exc, "strerror", None) or str(exc)


def _check_worker(namespace: argparse.Namespace) -> int:
    from rich.console import Console

    from wove_http_dev.conformance.case import Report
    from wove_http_dev.conformance.reporters.console import print_list
    from wove_http_dev.conformance.worker.suite import WORKER_CASES

    chosen = chosen_cases(namespace, WORKER_CASES)
    if namespace.list:
        print_list(Console(highlight=False), chosen)
        return 0
    known = known_failing(namespace.known_failing, WORKER_CASES)
    service = _service(namespace)
    began = time.monotonic()
    results = _results(namespace, service, chosen, known)
    report = Report(service.url, results, namespace.strict, time.monotonic() - began)
    return finish(namespace, report)


def _service(namespace: argparse.Namespace) -> ServiceUnderTest:
    import ssl

    from wove_http_dev.conformance.worker.client import ServiceUnderTest, UrlError

    if namespace.url is None:
        raise UsageError("check worker needs the URL of the service")
    if namespace.ca_file is not None and not namespace.url.startswith("https:"):
        raise UsageError("--ca-file goes with an https:// URL")
    try:
        return ServiceUnderTest(
            namespace.url,
            secret=_variable("--secret-env", namespace.secret_env),
            bearer=_variable("--bearer-env", namespace.bearer_env),
            key=namespace.key,
            ca_file=namespace.ca_file,
        )
    except UrlError as exc:
        raise UsageError(str(exc)) from exc
    except ssl.SSLError as exc:
        raise UsageError(f"--ca-file {namespace.ca_file} holds no certificate in PEM") from exc
    except OSError as exc:
        raise UsageError(f"--ca-file {namespace.ca_file}: {_why(exc)}") from exc


def _variable(flag: str, name: str | None) -> str | None:
    if name is None:
        return None
    value = os.environ.get(name)
    if not value:
        raise UsageError(f"{flag}: environment variable {name} is not set")
    return value


def _results(
    namespace: argparse.Namespace,
    service: ServiceUnderTest,
    chosen: Sequence[Case],
    known: Sequence[str],
) -> list[Result]:
    from rich.console import Console

    from wove_http_dev.conformance.case import NOT_RUN, Result
    from wove_http_dev.conformance.reporters.console import Progress
    from wove_http_dev.conformance.runner import Checking
    from wove_http_dev.conformance.service_process import (
        NeverAnsweredError,
        ServiceCommand,
        StartError,
    )
    from wove_http_dev.conformance.worker.context import Session
    from wove_http_dev.conformance.worker.suite import BUDGET, LOSSES, PREREQUISITES

    with ExitStack() as stack:
        if namespace.cmd is not None:
            try:
                stack.enter_context(ServiceCommand(namespace.cmd, service.host, service.port))
            except StartError as exc:
                raise UsageError(str(exc)) from exc
            except NeverAnsweredError as exc:
                return [Result(case, NOT_RUN, str(exc), case.expected) for case in chosen]
        session = Session(service, namespace.callback_host)
        stack.callback(session.close)
        checking = Checking(
            session.case,
            budget=BUDGET,
            losses=LOSSES,
            alive=session.alive,
            known=known,
            observer=Progress(Console(highlight=False), strict=namespace.strict),
        )
        return checking.run(chosen, PREREQUISITES)
