"""``exec``: runs a command together with a worker, and sets environment variables to reach it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from wove_http_dev.cli.name_proxy import PROXY_VARIABLES, check_proxies, name_proxy
from wove_http_dev.cli.output import lines_by_thread
from wove_http_dev.cli.serve_log import still_open
from wove_http_dev.cli.signals import handled
from wove_http_dev.cli.streams import complain
from wove_http_dev.cli.user_code import application_directory, importable, stuck_runs_ignored
from wove_http_dev.client.definition import URL_VARIABLE
from wove_http_dev.errors import UsageError
from wove_http_dev.hosts import Host
from wove_http_dev.option_urls import impersonated
from wove_http_dev.platforms import require_posix
from wove_http_dev.printable import printable, to_stderr
from wove_http_dev.worker import HttpWorker

NOTHING_ARRIVED = (
    f"nothing arrived: the command must take the url of its wove.config from {URL_VARIABLE}, and"
    " its tasks must name the environment"
)


def run_command(
    words: dict[str, Any], command: Sequence[str], *, app_dir: str, impersonate: str | None = None
) -> int:
    """Run ``command`` while a worker with the options ``words`` is running. Returns the command's
    exit status, or 128 plus the number of the signal that ended it. If it is not 0, the worker's
    report is written to stderr. Meanwhile ``app_dir`` is on the import path.

    Https requests of the command for the URL ``impersonate`` reach the worker. SIGTERM and SIGHUP
    are passed on to the command, unless they are ignored (``nohup``). Raises :class:`UsageError`
    for a command that cannot be run and for invalid options.
    """
    require_posix("exec")
    if not command:
        raise UsageError("exec needs a command: wove-http-dev exec -- CMD [ARG ...]")
    if impersonate is not None:
        words = _impersonating(words, impersonate)
    application = application_directory(app_dir)
    processes: list[subprocess.Popen[bytes]] = []
    received: list[int] = []

    def pass_on(number: int, _: object) -> None:
        received.append(number)
        for process in processes:
            process.send_signal(number)

    def interrupted(number: int, _: object) -> None:
        # Not passed on: the terminal sends SIGINT to the command as well, once there is one.
        if not processes:
            received.append(number)

    # The handlers stay as long as the worker: a second signal must not end this process before
    # the worker has removed its files.
    with (
        lines_by_thread(),
        stuck_runs_ignored(),
        importable(str(application)),
        handled(pass_on, signal.SIGTERM, signal.SIGHUP),
        HttpWorker(**words) as worker,
        ExitStack() as stack,
    ):
        environ = {**os.environ, **worker.client_env}
        if impersonate is not None:
            environ.update(_proxied(stack, worker, impersonate))
        with handled(interrupted, signal.SIGINT):  # Ctrl-C is for the command
            processes.append(_start(command, environ))
            for number in received:  # received while the command was being started
                processes[0].send_signal(number)
            status = processes[0].wait()
        _report(worker, status)
    return status if status >= 0 else 128 - status


def _impersonating(words: dict[str, Any], url: str) -> dict[str, Any]:
    """Return the options ``words`` of a worker that also serves the name and the path of
    ``url``."""
    host, _, path = impersonated(url)
    if not words["tls"]:
        raise UsageError("--impersonate does not go with --no-tls: Wove requires https there")
    check_proxies(host)
    return {**words, "hosts": [*words["hosts"], host], "path": path}


def _proxied(stack: ExitStack, worker: HttpWorker, url: str) -> dict[str, str]:
    """Start the proxy, until ``stack`` is left, and return the variables that lead to it."""
    host, port, _ = impersonated(url)
    target = (Host(worker.options.host).connectable, worker.port)
    proxy = stack.enter_context(name_proxy(host, port, target))
    return {**dict.fromkeys(PROXY_VARIABLES, proxy), URL_VARIABLE: url}


def _start(command: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=environ)
    except OSError as exc:
        raise UsageError(f"cannot run {command[0]!r}: {exc.strerror}") from exc


def _report(worker: HttpWorker, status: int) -> None:
    """Write to stderr what the worker knows of a command that has failed, or which runs a command
    that has not failed has left open."""
    left = still_open(worker.journal.runs)
    if status:
        text = worker.report("" if worker.exchanges else NOTHING_ARRIVED)
        to_stderr(f"wove-http-dev: the command failed; what its worker has seen:\n{text}\n")
    elif left:
        names = ", ".join(run.task_id for run in left)
        complain(f"still running when the command ended: {printable(names[:200])}")
