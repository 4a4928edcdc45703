"""``python -m wove_http_dev``: demo, serve, exec, faults, check.

This room reads flags, prints, and turns every error into one line that says what to do. Exit
status: 0 done, 1 something fell short, 2 usage.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import importlib.metadata
import os
import signal
import subprocess
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from wove_http_dev.cli.check import add_check_command
from wove_http_dev.cli.check_executor import add_executor_command
from wove_http_dev.cli.check_worker import add_worker_command
from wove_http_dev.errors import UsageError, WoveHttpDevError
from wove_http_dev.faults import FAULTS
from wove_http_dev.options import Options
from wove_http_dev.worker import HttpWorker

SERVE_PORT = 8443
# About the test's own process, or (faults, headers) a flag of another form.
_NOT_FLAGS = ("faults", "headers", "impersonate", "isolated", "strict")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    try:
        try:
            return _run(list(sys.argv[1:] if arguments is None else arguments))
        finally:
            sys.stdout.flush()
    except WoveHttpDevError as exc:
        print(f"wove-http-dev: {exc}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us has gone (| head); the interpreter must not try to flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as exc:  # a file that cannot be written, a directory where one is expected
        print(f"wove-http-dev: {exc}", file=sys.stderr)
        return 2


def _run(words: list[str]) -> int:
    parser = _parser()
    command: list[str] = []
    if words[:1] == ["exec"] and "--" in words:
        mark = words.index("--")
        words, command = words[:mark], words[mark + 1 :]
    namespace = parser.parse_args(words)
    if namespace.run is None:
        parser.print_help()
        return 2
    namespace.command_line = command
    status: int = namespace.run(namespace)
    return status


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, and name the command that was meant."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        known, extra = super().parse_known_args(args, namespace)
        if extra:  # told here: the parser above knows nothing of this command's flags
            self.error(f"unrecognized arguments: {' '.join(extra)}{self._advice(extra[0])}")
        return known, extra

    def _advice(self, word: str) -> str:
        name = word.lstrip("-").partition("=")[0]
        if name in _NOT_FLAGS:
            return "; that is an option of tests, about their own process"
        close = difflib.get_close_matches(f"--{name}", self._option_string_actions, n=1)
        if close and word.startswith("-"):
            return f"; did you mean {close[0]}?"
        return "; the command goes behind --" if self.prog.endswith(" exec") else ""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="wove-http-dev",
        description="A worker service for Wove's http/https executor, for development and tests.",
    )
    version = importlib.metadata.version("wove-http-dev")
    parser.add_argument("--version", action="version", version=f"wove-http-dev {version}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    demo = commands.add_parser(
        "demo", help="run a weave against a worker of its own and show what was sent"
    )
    demo.set_defaults(run=_demo)

    serve = commands.add_parser("serve", help="a worker service to leave running")
    _add_options(serve, port=SERVE_PORT)
    serve.add_argument(
        "--app-dir",
        metavar="DIR",
        default=".",
        help="put on the import path, for tasks sent by name (default: the working directory)",
    )
    serve.add_argument(
        "--reload", action="store_true", help="import modules of --app-dir afresh when they change"
    )
    serve.add_argument(
        "--state-dir",
        metavar="DIR",
        help="where the CA and the secret are kept (default: $XDG_STATE_HOME/wove-http-dev)",
    )
    serve.set_defaults(run=_serve)

    execute = commands.add_parser(
        "exec",
        help="run CMD with a worker and its environment variables",
        usage="wove-http-dev exec [OPTIONS] -- CMD [ARG ...]",
    )
    _add_options(execute, port=0)
    execute.set_defaults(run=_exec)

    faults = commands.add_parser("faults", help="the catalogue of faults")
    faults.add_argument("name", nargs="?", metavar="NAME", help="one fault in full")
    faults.add_argument(
        "--measure",
        action="store_true",
        help="inject every fault (or NAME), weave with the installed Wove, print the differences",
    )
    faults.add_argument(
        "--update",
        action="store_true",
        help="with --measure: write the differences into the recorded table",
    )
    faults.set_defaults(run=_faults)

    kinds = add_check_command(commands)
    add_worker_command(kinds)
    add_executor_command(kinds)
    return parser


def _add_options(parser: argparse.ArgumentParser, *, port: int) -> None:
    hints = typing.get_type_hints(Options)
    for option in dataclasses.fields(Options):
        if option.name in _NOT_FLAGS:
            continue
        default = port if option.name == "port" else option.default
        flag = "--" + option.name.replace("_", "-")
        doc = option.metadata["doc"].replace("%", "%%")
        shown = "" if default is None or "default" in doc else f" (default: {default})"
        kinds = list(typing.get_args(hints[option.name]) or [hints[option.name]])
        if kinds == [bool]:
            parser.add_argument(
                flag,
                action=argparse.BooleanOptionalAction,
                default=default,
                help=doc,
            )
            continue
        kind = next((k for k in (int, float) if k in kinds), str)
        parser.add_argument(flag, type=kind, default=default, metavar="…", help=doc + shown)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="'NAME field=value …'",
        help="a fault in force from the start; may be given more than once",
    )
    parser.add_argument(
        "--header",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an extra header the executor sends; may be given more than once",
    )


def _options(namespace: argparse.Namespace) -> dict[str, Any]:
    words = {
        option.name: getattr(namespace, option.name)
        for option in dataclasses.fields(Options)
        if option.name not in _NOT_FLAGS
    }
    words["faults"] = list(namespace.fault)
    headers = {}
    for pair in namespace.header:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--header takes NAME=VALUE, not {pair!r}")
        headers[name] = value
    words["headers"] = headers or None
    return words


def _demo(namespace: argparse.Namespace) -> int:
    from wove_http_dev.cli.demo import run_demo

    return run_demo()


def _serve(namespace: argparse.Namespace) -> int:
    from wove_http_dev.cli.serve import serve

    return serve(
        _options(namespace),
        app_dir=Path(namespace.app_dir),
        state_dir=namespace.state_dir,
        reload=namespace.reload,
    )


def _exec(namespace: argparse.Namespace) -> int:
    if not namespace.command_line:
        raise UsageError("exec needs a command: wove-http-dev exec -- CMD [ARG ...]")
    processes: list[subprocess.Popen[bytes]] = []
    asked: list[int] = []

    def pass_on(number: int, _: object) -> None:
        # Whoever stops us means the command too; its status decides. Ctrl-C it gets by itself.
        asked.append(number)
        for process in processes:
            process.send_signal(number)

    # Around the worker's whole life: a second signal must not end us before it is cleaned up.
    previous = {n: signal.signal(n, pass_on) for n in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with HttpWorker(**_options(namespace)) as worker:
            environ = {**os.environ, **worker.client_env}
            processes.append(_started(namespace.command_line, environ))
            for number in asked:  # it came while the command was being started
                processes[0].send_signal(number)
            status = _wait(processes[0])
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _started(words: list[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(words, env=environ)
    except OSError as exc:
        raise UsageError(f"cannot run {words[0]!r}: {exc.strerror}") from exc


def _wait(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _faults(namespace: argparse.Namespace) -> int:
    from wove_http_dev.cli.faults import measure, print_catalogue, print_fault

    if namespace.update and not namespace.measure:
        raise UsageError("--update goes with --measure")
    if namespace.measure:
        return measure(FAULTS, namespace.name, update=namespace.update)
    if namespace.name is None:
        print_catalogue(FAULTS)
        return 0
    return print_fault(FAULTS, namespace.name)
