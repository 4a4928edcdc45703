"""``exec``: runs a command together with a worker, and sets environment variables to reach it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from wove_http_dev.cli.output import lines_by_thread
from wove_http_dev.cli.signals import handled
from wove_http_dev.errors import UsageError
from wove_http_dev.platforms import require_posix
from wove_http_dev.worker import HttpWorker


def run_command(words: dict[str, Any], command: Sequence[str]) -> int:
    """Run ``command`` while a worker with the options ``words`` is running. Returns the command's
    exit status, or 128 plus the number of the signal that ended it.

    SIGTERM and SIGHUP are passed on to the command, unless they are ignored (``nohup``). Raises
    :class:`UsageError` for a command that cannot be run and for invalid options.
    """
    require_posix("exec")
    if not command:
        raise UsageError("exec needs a command: wove-http-dev exec -- CMD [ARG ...]")
    processes: list[subprocess.Popen[bytes]] = []
    received: list[int] = []

    def pass_on(number: int, _: object) -> None:
        # Ctrl-C is not passed on: the terminal sends SIGINT to the command as well.
        received.append(number)
        for process in processes:
            process.send_signal(number)

    # The handlers stay as long as the worker: a second signal must not end this process before
    # the worker has removed its files.
    with (
        lines_by_thread(),
        handled(pass_on, signal.SIGTERM, signal.SIGHUP),
        HttpWorker(**words) as worker,
    ):
        processes.append(_start(command, {**os.environ, **worker.client_env}))
        for number in received:  # received while the command was being started
            processes[0].send_signal(number)
        status = _wait(processes[0])
    return status if status >= 0 else 128 - status


def _start(command: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=environ)
    except OSError as exc:
        raise UsageError(f"cannot run {command[0]!r}: {exc.strerror}") from exc


def _wait(process: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue
