"""``serve``: runs a worker service during development, until it is stopped.

It prints how to reach the worker, then its log, and stops on SIGINT or SIGTERM.
The secret is never printed, because a terminal's scrollback may be stored.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from wove_http_dev.cli.log_lines import TextLines, json_line
from wove_http_dev.cli.output import LineStream, lines_by_thread
from wove_http_dev.cli.ready_file import check_ready_file, ready_file
from wove_http_dev.cli.reload import Reloader
from wove_http_dev.cli.running import ready_fields
from wove_http_dev.cli.serve_log import ServeLog, still_open
from wove_http_dev.cli.signals import stop_signals
from wove_http_dev.cli.state_directory import StateDirectory
from wove_http_dev.cli.streams import complain
from wove_http_dev.cli.user_code import end_despite_threads, importable
from wove_http_dev.client.definition import CA_VARIABLES, SECRET_VARIABLE
from wove_http_dev.errors import StuckRunWarning, UsageError
from wove_http_dev.platforms import require_posix
from wove_http_dev.service.port import Port
from wove_http_dev.shell import shell_word
from wove_http_dev.worker import HttpWorker


def serve(
    words: dict[str, Any],
    *,
    app_dir: Path,
    state_dir: str | None,
    reload: bool,
    log: str = "text",
    ready: Path | None = None,
) -> int:
    """Serve with the options ``words`` until SIGINT or SIGTERM. Returns the exit status 0.

    Meanwhile ``app_dir`` is on the import path; with ``reload`` its modules are imported again when
    they change. ``log`` is ``text``, or ``json`` for nothing but JSON on stdout; what tasks print
    is then on stderr. The file ``ready`` is there while requests are taken. Raises
    :class:`UsageError` for a directory, a file, or an option, that cannot be used.
    """
    require_posix("serve")
    if not app_dir.is_dir():
        raise UsageError(f"--app-dir {app_dir} is not a directory")
    application = app_dir.resolve()
    _check_start(words)
    if ready is not None:
        ready = ready.absolute()  # a task may change the working directory
        check_ready_file(ready)
    state = StateDirectory(state_dir)
    if state.exposed:
        complain(f"other users can replace files in {state.path}; use a directory of your own")
    if words["secret"] is None and words["security"] in ("signed", "bearer"):
        words["secret"] = state.secret()
    with ExitStack() as stack:
        out = stack.enter_context(lines_by_thread())
        if log == "json":
            stack.enter_context(redirect_stdout(sys.stderr))
        stack.enter_context(importable(str(application)))
        ca = stack.enter_context(state.certificate_authority())
        before_run = None
        if reload:
            reloader = Reloader(application)
            stack.enter_context(reloader.installed())
            before_run = reloader.refresh
        worker = HttpWorker(ca=ca, before_run=before_run, inspected=True, **words)
        entries = ServeLog(_writer(out, log), clean=worker.journal.clean)
        worker.journal.observe(entries)
        if reload:
            reloader.on_change = entries.reloaded
        stack.enter_context(_stuck_runs_ignored())
        signals = stack.enter_context(stop_signals())
        stack.enter_context(worker)
        stack.callback(signals.end_at_once)
        text = _how_to_reach(worker, state)  # writes the files that it names
        fields = ready_fields(worker, state)
        if ready is not None:
            stack.enter_context(ready_file(ready, fields))
        if log == "json":
            entries.log("serving", **fields)
        else:
            print(text, flush=True)
        entries.in_force(worker.injections)
        signals.wait()
        entries.stopping(still_open(worker.journal.runs))
    end_despite_threads(0)
    return 0


def _writer(out: LineStream, log: str) -> Callable[[dict[str, Any]], None]:
    """Return the function that writes an entry of the log to ``out``."""
    if log == "json":
        return lambda entry: out.write_line(json_line(entry))
    color = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    lines = TextLines(encoding=out.encoding, color=color)
    return lambda entry: out.write_line(lines.line(entry))


@contextmanager
def _stuck_runs_ignored() -> Iterator[None]:
    """Show no :class:`StuckRunWarning` until the block ends: the log has named these runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StuckRunWarning)
        yield


def _check_start(words: dict[str, Any]) -> None:
    """Raise :class:`UsageError` for options, faults or a port that cannot be used, so that a start
    that is refused changes nothing on disk."""
    options = HttpWorker(**words).options
    Port(options.host, options.port).close()


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
