"""``doctor``: imports the module that calls ``wove.config``, and prints what is wrong with each
remote environment before a task is sent."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wove_http_dev.cli.arguments import described
from wove_http_dev.cli.user_code import application_directory, end_despite_threads, importable
from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import UsageError
from wove_http_dev.printable import printable
from wove_http_dev.user_errors import one_line_errors

if TYPE_CHECKING:
    from wove_http_dev.explain.findings import Finding
    from wove_http_dev.explain.no_op import LocalServe

TIMEOUT = 5.0


def add_doctor_command(commands: Any) -> None:
    """Add ``doctor`` to an argparse subparsers action."""
    parser = commands.add_parser(
        "doctor",
        help="find what is wrong in an application's Wove configuration, without sending a task",
        **described(
            "Checks the Wove configuration of an application. A line for each check says what would"
            " go wrong when a task is sent, and what to do. Then it sends one signed request that"
            " is no task, and shows the answer. Exit status 1 if there is a problem.",
            "wove-http-dev doctor myapp.settings",
            "wove-http-dev doctor myapp.worker:configure  # a function that configures",
            "wove-http-dev doctor                         # Wove's own wove_config.py",
        ),
    )
    parser.add_argument(
        "module",
        metavar="MODULE[:FUNCTION]",
        nargs="?",
        help="the module that calls wove.config when it is imported, or in FUNCTION (default:"
        " wove_config.py, as Wove finds it)",
    )
    parser.add_argument(
        "--app-dir",
        metavar="DIR",
        default=".",
        help="directory from which MODULE is imported (default: the working directory)",
    )
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        help="the state directory of a local serve, to say which of its files would help (default:"
        " that of serve)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=TIMEOUT,
        help=f"seconds to wait for an answer (default: {TIMEOUT:g})",
    )
    parser.set_defaults(run=_doctor)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"takes seconds, above 0 and at most 3600, not {text!r}")
    return seconds


def _doctor(namespace: argparse.Namespace) -> int:
    status = 2
    try:
        status = _examine(namespace)
        return status
    finally:
        end_despite_threads(status)


def _examine(namespace: argparse.Namespace) -> int:
    from wove_http_dev.explain.doctor import examine, examine_process, remote_environments
    from wove_http_dev.explain.task_calls import application_files, task_calls

    directory = application_directory(namespace.app_dir)
    before = set(sys.modules)
    with importable(str(directory)):
        module = _configure(namespace.module)
    from wove.runtime import runtime

    imported = [each for name, each in list(sys.modules.items()) if name not in before]
    calls = [] if module is None else task_calls(application_files(module, imported))
    environments = remote_environments(runtime, calls)
    if not environments:
        names = ", ".join(map(repr, runtime.environments))
        raise UsageError(
            f"{namespace.module or 'wove_config.py'} configures no environment with the http or"
            f" https executor (there are {names}); call wove.config(environments=…) when it is"
            " imported, or name the function that does, MODULE:FUNCTION"
        )
    serve = _local_serve(namespace.state_dir)
    problems = _print(examine_process(runtime, calls))
    for env in environments:
        print(f"\n{printable(env.title)}", flush=True)
        problems += _print(examine(env, serve, namespace.timeout))
    found = "no problem" if not problems else f"{problems} problem{'s' if problems > 1 else ''}"
    print(f"\n{found} found")
    return 1 if problems else 0


def _print(findings: Iterable[Finding]) -> int:
    """Print each finding as it is made. Returns the number of problems."""
    problems = 0
    for finding in findings:
        print(finding.line(), flush=True)
        problems += finding.verdict == "problem"
    return problems


def _configure(spec: str | None) -> ModuleType | None:
    """Run the application's configuration; return its module, or ``None`` for ``wove_config.py``.

    Raises :class:`UsageError` if that fails.
    """
    import wove

    if spec is None:
        if not any((each / "wove_config.py").exists() for each in (Path(), *Path.cwd().parents)):
            raise UsageError(
                "name the MODULE that calls wove.config; there is no wove_config.py here or above"
            )
        with one_line_errors("wove_config.py cannot be used"):
            wove.config()
        return None
    name, colon, function = spec.partition(":")
    is_a_file = os.sep in name or name.endswith(".py") or not name.strip(".")
    if is_a_file or bool(colon) is not bool(function):
        example = _module_of(spec) or "e.g. myapp.settings"
        raise UsageError(f"{spec!r} is not MODULE or MODULE:FUNCTION; {example}")
    with one_line_errors(f"cannot import {name!r}"), _sending_refused():
        module = importlib.import_module(name)
    if function:
        configure = getattr(module, function, None)
        if not callable(configure):
            raise UsageError(f"{name} has no function {function!r}")
        if inspect.iscoroutinefunction(configure):
            raise UsageError(f"{spec} is called, not awaited: name a plain function")
        with one_line_errors(f"{spec} cannot be called"):
            configure()
    return module


def _module_of(path: str) -> str:
    """Return advice with the module that is in the file ``path``, e.g. ``src/app/settings.py``;
    empty if that has no such name."""
    words = path.removesuffix(".py").removeprefix(f".{os.sep}").split(os.sep)
    is_module = path.endswith(".py") and all(map(str.isidentifier, words))
    return f"did you mean {'.'.join(words)}?" if is_module else ""


@contextmanager
def _sending_refused() -> Iterator[None]:
    """Make an error of each task that is sent until the block ends.

    A weave in the body of a module never ends: the thread that pickles its task looks up the module
    that the task names, which waits for the end of the import, which waits for the weave.
    """
    from wove.environment import HttpEnvironmentExecutor as Executor

    async def send(self: Any, frame: Any) -> None:
        raise RuntimeError(
            "a weave runs when the module is imported, where Wove waits for ever; put it in a"
            " function, or below if __name__ == '__main__'"
        )

    original = Executor.send

    def restore() -> None:
        if Executor.send is send:
            Executor.send = original  # type: ignore[method-assign]

    with restored_by(restore):
        Executor.send = send  # type: ignore[method-assign]
        yield


def _local_serve(state_dir: str | None) -> LocalServe:
    from wove_http_dev.cli.state_directory import default_directory, kept_in
    from wove_http_dev.explain.no_op import LocalServe

    try:
        bundle, secrets = kept_in(Path(state_dir) if state_dir else default_directory())
    except UsageError:
        return LocalServe()
    return LocalServe(bundle, tuple(secrets))
