"""``ctl``: shows and steers a ``serve`` that is running, by its control API."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wove_http_dev.cli.arguments import add_secret_flags, described, help_only
from wove_http_dev.given_secrets import given_secret

if TYPE_CHECKING:
    from wove_http_dev.inspector.client import ControlClient

NEWEST = 20
"""Runs that ``ctl runs`` shows if it is not told otherwise."""


def add_ctl_command(commands: Any) -> None:
    """Add ``ctl`` to an argparse subparsers action."""
    ctl = commands.add_parser(
        "ctl",
        help="see and steer a serve that is running",
        **described(
            "Shows what a running serve has received, and changes what it does: faults, holds,"
            " stubs. It finds the serve by the state directory. RUN is a run's id, or the beginning"
            " of what 'ctl runs' shows.",
            "wove-http-dev ctl runs --state failed",
            "wove-http-dev ctl show 3f2a9c1e",
            "wove-http-dev ctl inject 'slow-response delay=2 times=1'",
            "wove-http-dev ctl hold convert",
            "wove-http-dev ctl release 1",
            "wove-http-dev ctl stub convert --result '{\"pages\": 3}'",
            "wove-http-dev ctl replay 3f2a9c1e",
            "wove-http-dev ctl tail",
        ),
    )
    _add_common(ctl, None)
    kinds = ctl.add_subparsers(title="what to do", metavar="WHAT")
    ctl.set_defaults(run=help_only(ctl))

    def add(name: str, doc: str, *examples: str) -> argparse.ArgumentParser:
        about = f"{doc[0].upper()}{doc[1:]}."
        kind: argparse.ArgumentParser = kinds.add_parser(
            name, help=doc, **described(about, *(f"wove-http-dev ctl {each}" for each in examples))
        )
        _add_common(kind, argparse.SUPPRESS)
        kind.set_defaults(run=_run, what=name)
        return kind

    _add_seeing(add)
    _add_steering(add)


def _add_common(parser: Any, default: Any) -> None:
    """Add the flags that all of ``ctl`` has, before and after the word that says what to do. There
    the ``default`` must not replace what was given before."""
    parser.add_argument(
        "--api",
        metavar="URL",
        default=default,
        help="the control API of a serve (default: that of the serve that runs with the state"
        " directory)",
    )
    parser.add_argument(
        "--state-dir", metavar="DIR", default=default, help="the state directory of the serve"
    )
    secrets = parser.add_mutually_exclusive_group()
    add_secret_flags(secrets, "--token", "the token, for --api", default=default)
    parser.add_argument(
        "--json",
        action="store_true",
        default=default or False,
        help="print the API's answer as JSON",
    )


def _add_seeing(add: Callable[..., argparse.ArgumentParser]) -> None:
    runs = add(
        "runs",
        "list runs, the newest last",
        "runs",
        "runs --state failed --all",
    )
    runs.add_argument("--task", metavar="GLOB", help="only runs of this task (name or glob)")
    runs.add_argument("--state", metavar="WORD", help="only runs in this state, such as failed")
    runs.add_argument(
        "--after", metavar="RUN|SECONDS", help="only runs after this one, or this time (epoch)"
    )
    which = runs.add_mutually_exclusive_group()
    which.add_argument(
        "--limit",
        metavar="N",
        type=_count,
        default=NEWEST,
        help=f"the newest so many (default: {NEWEST})",
    )
    which.add_argument("--all", action="store_true", help="all that the journal has")
    runs.add_argument(
        "--initial-values", action="store_true", help="also the initial values of weaves"
    )

    show = add("show", "show one run in full", "show 3f2a9c1e")
    show.add_argument("run_id", metavar="RUN", help="the run's id, or its beginning")

    add(
        "tail",
        "follow what happens, until Ctrl-C",
        "tail",
        "tail --json",
    )
    add(
        "status",
        "show the worker, and the faults, holds and stubs in force",
        "status",
    )


def _add_steering(add: Callable[..., argparse.ArgumentParser]) -> None:
    inject = add(
        "inject",
        "put a fault in force",
        "inject status",
        "inject 'slow-response delay=2 task=convert times=1'",
    )
    inject.add_argument(
        "fault",
        metavar="'FAULT field=value ...'",
        help="a fault with its fields, as 'wove-http-dev faults' lists them, and the words that"
        " select requests: task, command, times, after, probability, seed",
    )

    remove = add("remove", "remove a fault, or a stub", "remove 1", "remove --stub 1")
    remove.add_argument("--stub", action="store_true", help="ID is that of a stub")
    remove.add_argument("id", metavar="ID", help="the id that inject, or stub, printed")

    hold = add(
        "hold",
        "hold the runs of a task before their bodies start",
        "hold convert",
        "hold '*'",
    )
    hold.add_argument("task", metavar="TASK", help="name or glob")
    hold.add_argument(
        "--release-when", metavar="N", type=_count, help="release them when the N-th has arrived"
    )

    release = add("release", "release the runs of a hold, and hold no further ones", "release 1")
    release.add_argument("id", metavar="ID", help="the id that hold printed")

    stub = add(
        "stub",
        "answer a task without running it",
        "stub convert --result '[1, 2]'",
        "stub convert --error 'ValueError: too large'",
    )
    stub.add_argument("task", metavar="TASK", help="name or glob")
    answer = stub.add_mutually_exclusive_group(required=True)
    answer.add_argument("--result", metavar="JSON", help="the result")
    answer.add_argument("--error", metavar="'TYPE: MESSAGE'", help="the exception to raise")

    replay = add(
        "replay", "run a task again, with the arguments that the client sent", "replay 3f2a9c1e"
    )
    replay.add_argument("run_id", metavar="RUN", help="the run's id, or its beginning")

    add(
        "reset",
        "empty the journal; remove faults, holds and stubs; kill tasks of --runner processes",
        "reset",
    )


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError(f"takes a whole number, 1 or more, not {text!r}")
    return int(text)


def _run(namespace: argparse.Namespace) -> int:
    from wove_http_dev.cli.ctl_operations import perform

    return perform(namespace.what, _client(namespace), namespace)


def _client(namespace: argparse.Namespace) -> ControlClient:
    """Return the client of the API that the flags name. Raises :class:`UsageError` if there is
    none, or more than one."""
    from wove_http_dev.cli.running import find_serve, token_in
    from wove_http_dev.cli.state_directory import default_directory
    from wove_http_dev.inspector.client import ControlClient

    token = given_secret("--token", namespace.token_env, namespace.token_file)
    url = namespace.api
    if url is not None and token is not None:
        return ControlClient(url, token)
    directory = Path(namespace.state_dir) if namespace.state_dir else default_directory()
    if url is None:
        serve = find_serve(directory.absolute())
        assert serve.api_url is not None
        url = serve.api_url
    return ControlClient(url, token if token is not None else token_in(directory))
