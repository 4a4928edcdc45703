"""``serve``: runs a worker service during development, until it is stopped.

It prints how to reach the worker, then a line for each exchange, and stops on SIGINT or SIGTERM.
The secret is never printed, because a terminal's scrollback may be stored.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from wove_http_dev.cli.output import lines_by_thread
from wove_http_dev.cli.reload import Reloader
from wove_http_dev.cli.signals import handled
from wove_http_dev.cli.state_directory import StateDirectory
from wove_http_dev.cli.streams import complain
from wove_http_dev.cli.user_code import importable
from wove_http_dev.client.definition import CA_VARIABLES, SECRET_VARIABLE
from wove_http_dev.client.restore import restored_by
from wove_http_dev.errors import UsageError
from wove_http_dev.platforms import require_posix
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.records import Exchange
from wove_http_dev.service.port import Port
from wove_http_dev.shell import shell_word
from wove_http_dev.worker import HttpWorker


def serve(words: dict[str, Any], *, app_dir: Path, state_dir: str | None, reload: bool) -> int:
    """Serve with the options ``words`` until SIGINT or SIGTERM. Returns the exit status 0.

    Meanwhile ``app_dir`` is on the import path; with ``reload`` its modules are imported again when
    they change. Raises :class:`UsageError` for a directory, or an option, that cannot be used.
    """
    require_posix("serve")
    if not app_dir.is_dir():
        raise UsageError(f"--app-dir {app_dir} is not a directory")
    application = app_dir.resolve()
    _check_start(words)
    state = StateDirectory(state_dir)
    if state.exposed:
        complain(f"other users can replace files in {state.path}; use a directory of your own")
    if words["secret"] is None and words["security"] in ("signed", "bearer"):
        words["secret"] = state.secret()
    with ExitStack() as stack:
        stack.enter_context(lines_by_thread())
        stack.enter_context(importable(str(application)))
        ca = stack.enter_context(state.certificate_authority())
        before_run = None
        if reload:
            reloader = Reloader(application)
            stack.enter_context(reloader.installed())
            before_run = reloader.refresh
        worker = HttpWorker(ca=ca, before_run=before_run, inspected=True, **words)
        worker.journal.observe(_ExchangePrinter())
        stopped = stack.enter_context(_stop_signals())
        stack.enter_context(worker)
        text = _how_to_reach(worker, state)  # writes the files that it names
        print(text, flush=True)
        os.read(stopped, 1)
    return 0


def _check_start(words: dict[str, Any]) -> None:
    """Raise :class:`UsageError` for options, faults or a port that cannot be used, so that a start
    that is refused changes nothing on disk."""
    options = HttpWorker(**words).options
    Port(options.host, options.port).close()


@contextmanager
def _stop_signals() -> Iterator[int]:
    """Yield a file descriptor that becomes readable when SIGINT or SIGTERM arrives and is not
    ignored."""
    # A handler runs only when the main thread executes Python code again, which is too late if it
    # is blocked. The wake-up descriptor is written at once.
    reader, writer = socket.socketpair()  # not a pipe, whose descriptors have no owner
    before: int | None = None

    def restore() -> None:
        if before is not None:
            signal.set_wakeup_fd(before)

    with (
        reader,
        writer,
        handled(lambda *_: None, signal.SIGINT, signal.SIGTERM),
        restored_by(restore),
    ):
        reader.setblocking(True)  # whatever socket.setdefaulttimeout() is
        writer.setblocking(False)
        before = signal.set_wakeup_fd(writer.fileno())
        yield reader.fileno()


class _ExchangePrinter(JournalObserver):
    """Prints a line for each exchange that has ended."""

    def exchange_closed(self, exchange: Exchange) -> None:
        sys.stdout.write(f"{exchange.line()}\n")


def _how_to_reach(worker: HttpWorker, state: StateDirectory) -> str:
    definition = worker.environment_definition
    settings = dict(definition["executor_config"])
    lines = [f"worker service at {worker.url}  (Ctrl-C stops it)", "", "in your application:"]
    security = worker.credentials.client_security(SECRET_VARIABLE)
    if security is not None:
        settings["security"] = security
    environment = {**definition, "executor_config": settings}
    # Wove ignores that of an environment which only the task names.
    limit = environment.pop("delivery_timeout", None)
    shared = "" if limit is None else f", delivery_timeout={limit!r}"
    if worker.options.default:
        shared += f", default_environment={worker.environment!r}"
    lines += [
        "",
        "import wove",
        "",
        f"wove.config(environments={{{worker.environment!r}: {environment!r}}}{shared})",
        "",
        "in the shell it runs in:",
        "",
    ]
    if worker.credentials.mode != "none":
        file = shell_word(str(state.file_with(worker.secret, worker.port)))
        lines.append(f'export {SECRET_VARIABLE}="$(cat {file})"')
    variables = worker.client_env
    for name in CA_VARIABLES:
        if name in variables:
            lines.append(f"export {name}={shell_word(variables[name])}")
    no_proxy = shell_word(variables["no_proxy"])
    lines += [f"export no_proxy={no_proxy} NO_PROXY={no_proxy}", ""]
    return "\n".join(lines)
