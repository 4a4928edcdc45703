"""``serve``: the worker service that a developer leaves running.

It keeps a CA and a secret in a state directory, so that a restart breaks no trust, says how to
reach the worker, prints a line per exchange, and stops at once on SIGINT or SIGTERM. It prints no
secret.
"""

from __future__ import annotations

import os
import secrets
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from wove_http_dev.cli.reload import Reloader
from wove_http_dev.client.definition import SECRET_VARIABLE
from wove_http_dev.errors import UsageError
from wove_http_dev.runs.journal import JournalObserver
from wove_http_dev.runs.records import Exchange
from wove_http_dev.tls import CertificateAuthority, write_private
from wove_http_dev.worker import HttpWorker


def serve(words: dict[str, Any], *, app_dir: Path, state_dir: str | None, reload: bool) -> int:
    """Serve with the options in ``words`` until a signal comes; exit status 0.

    Raises :class:`UsageError` for a directory that cannot be used, or an option that cannot be.
    """
    if not app_dir.is_dir():
        raise UsageError(f"--app-dir {app_dir} is no directory")
    application = app_dir.resolve()
    sys.path.insert(0, str(application))
    state = _state_directory(state_dir)
    if words["secret"] is None and words["security"] in ("signed", "bearer"):
        words["secret"] = _kept_secret(state)
    with ExitStack() as stack:
        ca = stack.enter_context(CertificateAuthority.kept_in(state))
        before_run = Reloader(application).refresh if reload else None
        worker = HttpWorker(ca=ca, before_run=before_run, **words)
        worker.journal.observe(_ExchangePrinter())
        stopped = stack.enter_context(_stop_signals())
        stack.enter_context(worker)
        with suppress(BrokenPipeError):
            print(_how_to_reach(worker, state), flush=True)
        os.read(stopped, 1)
    return 0


@contextmanager
def _stop_signals() -> Iterator[int]:
    """A descriptor that has a byte once SIGINT or SIGTERM has come."""
    # A handler runs once the main thread is back in Python code: not while it blocks, if the signal
    # came just before it did, or to another thread. The wake-up descriptor is written at once.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)
    }
    awoken = signal.set_wakeup_fd(writer)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(awoken)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)


class _ExchangePrinter(JournalObserver):
    """Prints a line for each exchange that is over."""

    def exchange_closed(self, exchange: Exchange) -> None:
        with suppress(OSError):  # the reader has closed the pipe, or the disk is full: serve on
            print(exchange.line(), flush=True)


def _how_to_reach(worker: HttpWorker, state: Path) -> str:
    definition = worker.environment_definition
    settings = dict(definition["executor_config"])
    lines = [f"worker service at {worker.url}  (Ctrl-C stops it)", "", "in your application:"]
    security = worker.credentials.client_security(SECRET_VARIABLE)
    if security is not None:
        settings["security"] = security
    environment = {**definition, "executor_config": settings}
    lines += [
        "",
        "import wove",
        "",
        f"wove.config(environments={{{worker.environment!r}: {environment!r}}})",
        "",
        "in the shell it runs in:",
        "",
    ]
    if worker.credentials.mode != "none":
        file = shlex.quote(str(_secret_file(worker, state)))
        lines.append(f'export {SECRET_VARIABLE}="$(cat {file})"')
    if worker.options.tls:
        lines.append(f"export SSL_CERT_FILE={shlex.quote(worker.client_env['SSL_CERT_FILE'])}")
    no_proxy = shlex.quote(worker.client_env["no_proxy"])
    lines += [f"export no_proxy={no_proxy} NO_PROXY={no_proxy}", ""]
    return "\n".join(lines)


def _secret_file(worker: HttpWorker, state: Path) -> Path:
    # The secret itself is never printed: a terminal's scrollback is a log.
    path = state / "secret"
    if not path.exists() or path.read_text() != worker.secret:
        path = state / f"secret-{worker.port}"  # another worker may share this directory
        write_private(path, worker.secret.encode())
    return path


def _state_directory(given: str | None) -> Path:
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    directory = Path(given) if given else Path(base) / "wove-http-dev"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    except OSError as exc:
        raise UsageError(
            f"cannot use {directory} ({exc.strerror}); name another --state-dir"
        ) from exc
    return directory


def _kept_secret(state: Path) -> str:
    path = state / "secret"
    try:
        if not path.exists():
            write_private(path, secrets.token_urlsafe(32).encode())
        kept = path.read_text("ascii").strip()
    except (OSError, ValueError) as exc:
        raise UsageError(f"{path} cannot be used ({exc}); delete it") from exc
    if not kept:
        raise UsageError(f"{path} is empty; delete it")
    return kept
