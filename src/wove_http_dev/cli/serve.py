"""``serve``: runs a worker service during development, until it is stopped.

It prints how to reach the worker, then its log, and stops on SIGINT, SIGTERM or SIGHUP.
The secret is never printed, because a terminal's scrollback may be stored.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from wove_http_dev.cli.arguments import PAGE_PORT
from wove_http_dev.cli.log_lines import Entry, TextLines, json_line
from wove_http_dev.cli.output import LineStream, kept_apart, lines_by_thread
from wove_http_dev.cli.ready_file import check_ready_file, ready_file
from wove_http_dev.cli.reload import ChangesInProcess, Reloader
from wove_http_dev.cli.running import announced, ready_fields, secret_file
from wove_http_dev.cli.serve_log import ServeLog, still_open
from wove_http_dev.cli.signals import stop_signals
from wove_http_dev.cli.state_directory import StateDirectory
from wove_http_dev.cli.streams import complain, wants_color
from wove_http_dev.cli.user_code import (
    application_directory,
    end_despite_threads,
    importable,
    stuck_runs_ignored,
)
from wove_http_dev.errors import UsageError
from wove_http_dev.inspector.connect import Instructions, instructions
from wove_http_dev.inspector.control import Control
from wove_http_dev.inspector.inspector import Inspector
from wove_http_dev.inspector.server import reserve_page_port
from wove_http_dev.platforms import require_posix
from wove_http_dev.printable import printable
from wove_http_dev.runners.processes import ProcessRunner
from wove_http_dev.runs.runner import ThreadRunner
from wove_http_dev.service.port import Port
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker


def serve(
    words: dict[str, Any],
    *,
    app_dir: str,
    state_dir: str | None,
    reload: bool,
    log: str = "text",
    ready: Path | None = None,
    page: bool = True,
    page_port: int | None = None,
) -> int:
    """Serve with the options ``words`` until SIGINT, SIGTERM or SIGHUP. Returns the exit status 0.

    Meanwhile ``app_dir`` is on the import path; with ``reload`` its modules are imported again when
    they change. ``log`` is ``text``, or ``json`` for nothing but JSON on stdout; what tasks print
    is then on stderr. The file ``ready`` is there while requests are taken. With ``page``, the
    control API and the page are on ``page_port``; if that is ``None``, on :data:`PAGE_PORT`, or on
    a free one while that is in use. Raises :class:`UsageError` for a directory, a file, or an
    option, that cannot be used.
    """
    require_posix("serve")
    application = application_directory(app_dir)
    if reload:
        _check_reload(words)
    if ready is not None:
        ready = ready.absolute()  # a task may change the working directory
        check_ready_file(ready)
    with ExitStack() as stack:
        reserved = stack.enter_context(_checked_start(words, page, page_port))
        state = _state(state_dir)
        words = _with_kept_secret(words, state)
        out = stack.enter_context(lines_by_thread())
        if log == "json":
            _keep_json_apart(out, stack)
        stack.enter_context(importable(str(application)))
        ca = stack.enter_context(state.certificate_authority())
        reloader = None
        if reload and words["runner"] == "threads":
            reloader = Reloader(application)
            stack.enter_context(reloader.installed())
        worker, entries = _logged_worker(words, ca, _writer(out, log), reloader)
        if reload and isinstance(worker._runner, ProcessRunner):
            worker._runner.find_changes = ChangesInProcess(application)
            worker._runner.on_changes = entries.reloaded
        _run(worker, entries, state, reserved=reserved, log=log, ready=ready)
    end_despite_threads(0)
    return 0


def _check_reload(words: dict[str, Any]) -> None:
    if words["upstream"] is not None:
        raise UsageError("--reload does not go with --upstream, which imports the tasks")
    if words["runner"] not in ("threads", "processes"):
        raise UsageError("--reload does not go with --runner dask: its workers import the tasks")


def _keep_json_apart(out: LineStream, stack: ExitStack) -> None:
    """Let nothing but JSON be written to ``out``, standard output, while ``stack`` lasts."""
    stderr = sys.stderr
    assert isinstance(stderr, LineStream)
    stack.enter_context(kept_apart(out, stderr))
    stack.enter_context(redirect_stdout(stderr))
    out.describe_dropped(
        lambda count: json_line({"time": time.time(), "event": "dropped", "lines": count})
    )


def _state(state_dir: str | None) -> StateDirectory:
    state = StateDirectory(state_dir)
    if state.exposed:
        complain(f"other users can replace files in {state.path}; use a directory of your own")
    return state


def _with_kept_secret(words: dict[str, Any], state: StateDirectory) -> dict[str, Any]:
    """Return the options ``words``, with the secret of ``state`` if they need one and have none."""
    if words["secret"] is not None or words["security"] not in ("signed", "bearer"):
        return words
    return {**words, "secret": state.secret()}


def _logged_worker(
    words: dict[str, Any],
    ca: CertificateAuthority,
    write: Callable[[Entry], object],
    reloader: Reloader | None,
) -> tuple[HttpWorker, ServeLog]:
    """Return a worker, which is not started, and its log, which gives each entry to ``write``."""
    before_run = None if reloader is None else reloader.refresh
    worker = HttpWorker(ca=ca, before_run=before_run, inspected=True, **words)
    entries = ServeLog(write, clean=worker.journal.redaction.clean)
    worker.journal.observe(entries)
    if reloader is not None:
        reloader.on_change = entries.reloaded
    return worker, entries


def _run(
    worker: HttpWorker,
    entries: ServeLog,
    state: StateDirectory,
    *,
    reserved: Port | None,
    log: str,
    ready: Path | None,
) -> None:
    """Start ``worker``, and its control API on the port ``reserved``; say how to reach them; stop
    them on SIGINT, SIGTERM or SIGHUP. Blocks until then."""
    with ExitStack() as stack:
        stack.enter_context(stuck_runs_ignored())
        signals = stack.enter_context(stop_signals())
        stack.enter_context(worker)
        stack.callback(signals.end_at_once, worker._runner.remove_files)
        connect = _how_to_connect(worker, state)  # writes the files that it names
        inspector = None
        if reserved is not None:
            inspector = Inspector(worker, reserved, state.token(), connect=connect)
            stack.enter_context(inspector)
        fields = _ready_fields(worker, state, inspector)
        stack.enter_context(announced(state.path, worker.port, fields, complain))
        if ready is not None:
            stack.enter_context(ready_file(ready, fields))
        if log == "json":
            entries.log("serving", **fields)
        else:
            print(_how_to_reach(worker, connect, inspector), flush=True)
        entries.in_force({each: each.call for each in worker.injections})
        if inspector is not None:
            _log_changes(inspector.control, entries)
        signals.wait()
        entries.stopping(still_open(worker.journal.runs))


def _log_changes(control: Control, entries: ServeLog) -> None:
    """Log what a client of the control API changes from now on."""
    on_change, on_reset = control.on_change, control.on_reset

    def change() -> None:
        on_change()
        entries.in_force(control.in_force())

    def reset() -> None:
        on_reset()
        entries.log("reset")
        entries.in_force(control.in_force())

    control.on_change, control.on_reset = change, reset


def _writer(out: LineStream, log: str) -> Callable[[Entry], None]:
    """Return the function that writes an entry of the log to ``out``."""
    if log == "json":
        return lambda entry: out.write_line(json_line(entry))
    lines = TextLines(encoding=out.encoding, color=wants_color(out))
    return lambda entry: out.write_line(lines.line(entry))


@contextmanager
def _checked_start(
    words: dict[str, Any], page: bool, page_port: int | None
) -> Iterator[Port | None]:
    """Reserve the port of the page, if there is to be a ``page``, until the block ends.

    Raises :class:`UsageError` for options, faults or a port that cannot be used, so that a start
    that is refused changes nothing on disk.
    """
    options = HttpWorker(**words).options
    task_port = Port(options.host, options.port)
    try:
        reserved = reserve_page_port(page_port, PAGE_PORT) if page else None
    finally:
        task_port.close()
    try:
        yield reserved
    finally:
        if reserved is not None:
            reserved.close()


def _ready_fields(
    worker: HttpWorker, state: StateDirectory, inspector: Inspector | None
) -> dict[str, str | int | None]:
    if inspector is None:
        return ready_fields(worker, state)
    return ready_fields(
        worker,
        state,
        page_url=inspector.url,
        api_url=inspector.api_url,
        token_file=str(state.token_file),
    )


def _how_to_connect(worker: HttpWorker, state: StateDirectory) -> Instructions:
    return instructions(worker, secret_file(worker, state))


def _how_to_reach(worker: HttpWorker, connect: Instructions, page: Inspector | None) -> str:
    lines = [f"worker service at {worker.url}  (Ctrl-C stops it)"]
    if page is not None:
        lines.append(f"page: {page.entry_url}")
    if not isinstance(worker._runner, ThreadRunner):
        lines.append(f"where tasks run: {printable(worker._runner.place)}")
    lines += ["", "in your application:", "", connect.snippet, "", "in the shell it runs in:", ""]
    return "\n".join([*lines, *connect.exports, ""])
