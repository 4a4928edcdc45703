"""The command line's parser and entry point. Errors are one line that says what to do.

Exit status: 0 done, 1 a check or a comparison failed, 2 usage. Modules that a command needs are
imported when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wove_http_dev.cli.arguments import (
    PAGE_PORT,
    Parser,
    add_options,
    described,
    given_options,
    help_only,
)
from wove_http_dev.cli.check import add_check_command
from wove_http_dev.cli.check_executor import add_executor_command
from wove_http_dev.cli.check_worker import add_worker_command
from wove_http_dev.cli.ctl import add_ctl_command
from wove_http_dev.cli.doctor import add_doctor_command
from wove_http_dev.cli.streams import complain, discard_unwritable, prepare_streams
from wove_http_dev.errors import MESSAGE_LIMIT, UsageError, WoveHttpDevError
from wove_http_dev.printable import printable, shortened

SERVE_PORT = 8443


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    prepare_streams()
    try:
        try:
            return _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            sys.stdout.flush()
    except WoveHttpDevError as exc:
        complain(printable(str(exc), keep="\n"))
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has ended (| head)
        return 1
    except OSError as exc:  # a file that cannot be written, a directory where one is expected
        complain(shortened(str(exc), MESSAGE_LIMIT))
        return 2
    finally:
        discard_unwritable()


def _run(words: list[str]) -> int:
    namespace = parse(words, make_parser())
    status: int = namespace.run(namespace)
    return status


def parse(words: list[str], parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return what ``parser`` makes of ``words``; ``command_line`` is the command of ``exec``.
    Exits for words that cannot be used."""
    command: list[str] = []
    if words[:1] == ["exec"] and "--" in words:
        mark = words.index("--")
        words, command = words[:mark], words[mark + 1 :]
    namespace = parser.parse_args(words)
    namespace.command_line = command
    return namespace


class _Version(argparse.Action):
    """Prints the version, which only this flag looks up."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version  # slow to import

        print(f"wove-http-dev {version('wove-http-dev')}")
        parser.exit()


@functools.cache  # tests run many commands in a process; it takes 5 ms
def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="wove-http-dev",
        **described(
            "A worker service for Wove's http/https executor, for development and tests."
            " 'wove-http-dev COMMAND --help' says more about a command.",
            "wove-http-dev demo",
            "wove-http-dev serve",
            "wove-http-dev exec -- pytest tests/end_to_end",
            "wove-http-dev doctor myapp.settings",
        ),
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    parser.set_defaults(run=help_only(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    demo = commands.add_parser(
        "demo",
        help="see it work: code, and what happens when it runs (2 s)",
        **described(
            "Shows an application and what a test can do to its worker, runs it, and prints each"
            " request and result as it comes. It takes about 2 s and leaves nothing behind."
            " Exit status 1 if a result is not as expected.",
            "wove-http-dev demo",
            "NO_COLOR=1 wove-http-dev demo",
        ),
    )
    demo.set_defaults(run=_demo)

    _add_serve(commands)
    _add_exec(commands)
    add_ctl_command(commands)
    _add_faults(commands)
    add_doctor_command(commands)
    kinds = add_check_command(commands)
    add_worker_command(kinds)
    add_executor_command(kinds)
    return parser


def _add_serve(commands: Any) -> None:
    serve = commands.add_parser(
        "serve",
        help="run a worker service until Ctrl-C",
        **described(
            "Runs a worker service until Ctrl-C. It prints its URL, what your application and its"
            " shell need to reach it, and then a line when a run starts and one when it ends.",
            "wove-http-dev serve",
            "wove-http-dev serve --app-dir src --reload",
            "wove-http-dev serve --fault 'slow-response delay=2' --fault 'status times=1'",
            "wove-http-dev serve --security bearer --secret-file token",
        ),
    )
    add_options(serve, port=SERVE_PORT)
    _add_app_dir(serve)
    serve.add_argument(
        "--reload", action="store_true", help="import modules of --app-dir again when they change"
    )
    serve.add_argument(
        "--state-dir",
        metavar="DIR",
        help="directory that keeps the CA and the secret (default: $XDG_STATE_HOME/wove-http-dev)",
    )
    serve.add_argument(
        "--log",
        choices=("text", "json"),
        default="text",
        help="form of the log: a line of text, or a JSON object a line (default: text)",
    )
    serve.add_argument(
        "--ready-file",
        metavar="FILE",
        help="file that exists while serve takes requests: its addresses and files, as JSON",
    )
    serve.add_argument(
        "--page-port",
        type=_port,
        metavar="PORT",
        help="port on loopback of the page and the control API; 0: a free one (default:"
        f" {PAGE_PORT}, or a free one if that is in use)",
    )
    serve.add_argument(
        "--no-page", action="store_true", help="serve neither the page nor the control API"
    )
    serve.set_defaults(run=_serve)


def _add_app_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--app-dir",
        metavar="DIR",
        default=".",
        help="directory from which tasks sent by name are imported (default: the working"
        " directory)",
    )


def _add_exec(commands: Any) -> None:
    execute = commands.add_parser(
        "exec",
        help="run a command together with a worker, and environment variables to reach it",
        usage="wove-http-dev exec [OPTIONS] -- CMD [ARG ...]",
        **described(
            "Runs CMD while a worker is running, with the environment variables that a client of it"
            " needs: WOVE_WORKER_URL, WOVE_WORKER_SECRET; for the CAs to trust SSL_CERT_FILE,"
            " REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, NODE_EXTRA_CA_CERTS; no_proxy, NO_PROXY. The exit"
            " status is that of CMD; if it is not 0, the worker's report is on stderr.",
            "wove-http-dev exec -- pytest tests/end_to_end",
            "wove-http-dev exec --fault 'truncated-body times=1' -- python -m myapp",
            "wove-http-dev exec --impersonate https://workers.internal/wove/tasks -- pytest",
        ),
    )
    add_options(execute, port=0, client=False)
    _add_app_dir(execute)
    execute.add_argument(
        "--impersonate",
        metavar="URL",
        help="https URL of production that leads to the worker: CMD gets a proxy for it"
        " (https_proxy), which passes on everything else",
    )
    execute.set_defaults(run=_exec)


def _add_faults(commands: Any) -> None:
    faults = commands.add_parser(
        "faults",
        help="list the faults, or show one",
        **described(
            "Lists what a worker can do wrong, by family, or shows one fault in full: its fields,"
            " and what Wove's executor was measured to do with it.",
            "wove-http-dev faults",
            "wove-http-dev faults auth",
            "wove-http-dev faults slow-response",
            "wove-http-dev faults --measure slow-response",
        ),
    )
    faults.add_argument(
        "name", nargs="?", metavar="NAME|FAMILY", help="the fault to show, or the family to list"
    )
    faults.add_argument(
        "--measure",
        action="store_true",
        help="inject every fault (or NAME), weave with the installed Wove, print the differences"
        " from the recorded table",
    )
    faults.add_argument(
        "--update",
        action="store_true",
        help="with --measure: write the differences into the recorded table",
    )
    faults.add_argument(
        "--markdown",
        action="store_true",
        help="print the reference page of all faults, src/wove_http_dev/faults/README.md",
    )
    faults.set_defaults(run=_faults)


def _demo(namespace: argparse.Namespace) -> int:
    from wove_http_dev.cli.demo import run_demo

    return run_demo()


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536):
        raise argparse.ArgumentTypeError(f"takes a whole number between 0 and 65535, not {text!r}")
    return int(text)


def _serve(namespace: argparse.Namespace) -> int:
    from wove_http_dev.cli.serve import serve

    if namespace.no_page and namespace.page_port is not None:
        raise UsageError("--page-port does not go with --no-page")
    return serve(
        given_options(namespace),
        app_dir=namespace.app_dir,
        state_dir=namespace.state_dir,
        reload=namespace.reload,
        log=namespace.log,
        ready=None if namespace.ready_file is None else Path(namespace.ready_file),
        page=not namespace.no_page,
        page_port=namespace.page_port,
    )


def _exec(namespace: argparse.Namespace) -> int:
    from wove_http_dev.cli.exec import run_command

    return run_command(
        given_options(namespace),
        namespace.command_line,
        app_dir=namespace.app_dir,
        impersonate=namespace.impersonate,
    )


def _faults(namespace: argparse.Namespace) -> int:
    from wove_http_dev.cli.faults import measure, show

    if namespace.update and not namespace.measure:
        raise UsageError("--update goes with --measure")
    if namespace.markdown:
        from wove_http_dev.cli.faults_page import page

        print(page(), end="")
        return 0
    if namespace.measure:
        return measure(namespace.name, update=namespace.update)
    show(namespace.name)
    return 0
