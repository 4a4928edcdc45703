"""``check worker``: sends the worker cases to a running service, or to one that ``--cmd``
starts."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from wove_http_dev.cli.arguments import add_secret_flags, described
from wove_http_dev.cli.check import add_report_options, chosen_cases, finish
from wove_http_dev.errors import UsageError

if TYPE_CHECKING:
    from wove_http_dev.conformance.case import Case, Result
    from wove_http_dev.conformance.worker.client import ServiceUnderTest
    from wove_http_dev.conformance.worker.context import Session


def add_worker_command(kinds: Any) -> None:
    """Add ``worker`` to the argparse subparsers action of ``check``."""
    parser = kinds.add_parser(
        "worker",
        help="send numbered cases to a running worker service",
        usage="wove-http-dev check worker [OPTIONS] [URL]",
        **described(
            "Sends requests, correct and wrong ones, to a worker service, and judges its answers."
            " Exit status 0 if it conforms, 1 if a case failed. It takes 5 to 8 s, and longer on a"
            " busy machine.",
            "wove-http-dev check worker https://localhost:8443/wove/tasks \\",
            "    --secret-env WOVE_WORKER_SECRET --ca-file ca.pem",
            "wove-http-dev check worker http://localhost:8080/wove/tasks \\",
            "    --cmd 'python worker.py --port 8080' --run 'auth.*'",
            "wove-http-dev check worker --list",
        ),
    )
    parser.add_argument("url", metavar="URL", nargs="?", help="the URL that takes command frames")
    secrets = parser.add_mutually_exclusive_group()
    add_secret_flags(secrets, "--secret", "the signing secret")
    add_secret_flags(secrets, "--bearer", "the bearer token")
    parser.add_argument(
        "--key", metavar="ID", default="default", help="the key id (default: default)"
    )
    parser.add_argument("--ca-file", metavar="FILE", help="CA certificate to trust, PEM")
    parser.add_argument(
        "--cmd", metavar="'CMD ARG ...'", help="start the service, wait for it, stop it afterwards"
    )
    parser.add_argument(
        "--callback-host",
        metavar="HOST",
        help="the address of this machine that tasks on the worker can connect to",
    )
    add_report_options(parser)
    parser.set_defaults(run=_check_worker)


def _check_worker(namespace: argparse.Namespace) -> int:
    from rich.console import Console

    from wove_http_dev.conformance.case import Report
    from wove_http_dev.conformance.known_failures import read_known_failing, read_known_flaky
    from wove_http_dev.conformance.reporters.console import print_list
    from wove_http_dev.conformance.worker.suite import WORKER_CASES

    chosen = chosen_cases(namespace, WORKER_CASES)
    if namespace.list:
        print_list(Console(highlight=False), chosen)
        return 0
    known = read_known_failing(namespace.known_failing, WORKER_CASES)
    flaky = read_known_flaky(namespace.known_flaky, WORKER_CASES)
    service = _service(namespace)
    began = time.monotonic()
    results = _results(namespace, service, chosen, known, flaky)
    report = Report(
        *(service.place, results, namespace.strict, time.monotonic() - began),
        left_out=len(WORKER_CASES) - len(chosen),
    )
    return finish(namespace, report)


def _service(namespace: argparse.Namespace) -> ServiceUnderTest:
    import ssl

    from wove_http_dev.conformance.worker.client import ServiceUnderTest, UrlError
    from wove_http_dev.given_secrets import given_secret

    if namespace.url is None:
        raise UsageError("check worker needs the URL of the service")
    if namespace.ca_file is not None and not namespace.url.startswith("https:"):
        raise UsageError("--ca-file goes with an https:// URL")
    try:
        return ServiceUnderTest(
            namespace.url,
            secret=given_secret("--secret", namespace.secret_env, namespace.secret_file),
            bearer=given_secret("--bearer", namespace.bearer_env, namespace.bearer_file),
            key=namespace.key,
            ca_file=namespace.ca_file,
        )
    except UrlError as exc:
        raise UsageError(str(exc)) from exc
    except ssl.SSLError as exc:
        raise UsageError(f"--ca-file {namespace.ca_file} holds no certificate in PEM") from exc
    except OSError as exc:
        raise UsageError(f"--ca-file {namespace.ca_file}: {exc.strerror or exc}") from exc


def _results(
    namespace: argparse.Namespace,
    service: ServiceUnderTest,
    chosen: Sequence[Case],
    known: Sequence[str],
    flaky: Sequence[str],
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

    own: dict[str, Any] = {}
    hide = _hiding(service)
    with ExitStack() as stack:
        if namespace.cmd is not None:
            try:
                command = stack.enter_context(
                    ServiceCommand(namespace.cmd, service.host, service.port)
                )
                own["restart"] = lambda: (why := command.restart()) and hide(why)
                own["printed"] = lambda: _hidden(hide, command.recorder())
            except StartError as exc:
                raise UsageError(str(exc)) from exc
            except NeverAnsweredError as exc:
                return [Result(case, NOT_RUN, hide(str(exc)), case.expected) for case in chosen]
        session = Session(service, namespace.callback_host)
        stack.callback(session.close)
        if namespace.callback_host is not None:
            _listen(session, namespace.callback_host)
        checking = Checking(
            session.case,
            budget=BUDGET,
            losses=LOSSES,
            alive=session.alive,
            **own,
            jobs=namespace.jobs,
            known=known,
            flaky=flaky,
            observer=Progress(Console(highlight=False), strict=namespace.strict),
        )
        return checking.run(chosen, PREREQUISITES)


def _listen(session: Session, host: str) -> None:
    try:
        session.listener()
    except (OSError, UnicodeError) as exc:  # UnicodeError: no name that could be looked up
        raise UsageError(
            f"--callback-host {host}: cannot listen there, because it is no address of this machine"
            f" ({getattr(exc, 'strerror', None) or exc})"
        ) from exc


def _hiding(service: ServiceUnderTest) -> Callable[[str], str]:
    """Return a function that hides the service's secrets in a text, e.g. in what it printed."""
    from wove_http_dev.secret import replace_secrets

    secrets = [service.secret.decode("utf-8"), service.bearer]
    given = [secret for secret in secrets if secret]
    return lambda text: replace_secrets(text, given)


def _hidden(hide: Callable[[str], str], recorder: Callable[[], str]) -> Callable[[], str]:
    return lambda: hide(recorder())
