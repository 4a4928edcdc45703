"""Cases about secrets: they appear in no error or log, and in a request only where the worker
expects them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import Iterator

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import (
    ABANDONED,
    abandon_run,
    wait_for_answer,
)
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.request_recorder import RequestRecorder
from wove_http_dev.faults.auth import RejectAuth
from wove_http_dev.faults.connection import RefuseConnections, UntrustedCa
from wove_http_dev.faults.events import MissingTerminal
from wove_http_dev.faults.response import InvalidJson, Redirect, Status
from wove_http_dev.faults.wire import StallMidBody
from wove_http_dev.protocol.messages import Request
from wove_http_dev.worker import HttpWorker

REPORTED_AFTER = 0.02
"""Seconds within which an executor logs that a cancel_task failed."""
LOGGED = (RejectAuth(), Status(500), InvalidJson(), Redirect(302), StallMidBody())
"""Faults that an executor handles in different places of its code, any of which may write to the
log."""
REPORTED = (
    RejectAuth(),
    Status(500),
    Redirect(302),
    InvalidJson(),
    MissingTerminal(),
    StallMidBody(),
    RefuseConnections(),
    UntrustedCa(),
)
"""Faults that an executor handles in different places of its code, each of which raises its own
error."""


@family.must(
    "18",
    sources.LEAK,
    scenario=f"runs with the faults {', '.join(fault.name for fault in REPORTED)}, to a URL that"
    " is invalid, and of a task that raises; signed and with a bearer token",
    expected="errors that contain neither the secret nor the token",
)
def secret_not_told(check: CaseContext) -> str:
    """An error contains no secret, nor do its notes, payload and traceback."""
    kinds = [*_kinds_of_errors(check, "signed"), *_kinds_of_errors(check, "bearer")]
    return ", ".join(dict.fromkeys(kinds))


def _kinds_of_errors(check: CaseContext, mode: str) -> list[str]:
    """Cause one error of each kind, with credentials of type ``mode``, and return the names of the
    exceptions. Raises :class:`CaseFailed` if an error contains the secret."""
    worker, kinds = check.worker(security=mode, timeout=0.4), []
    # Plain strings, as users have them: the worker's own secrets hide themselves in repr.
    security = {name: str(value) for name, value in check.security_of(worker).items()}

    def run(what: str, **settings: str) -> None:
        settings_of_run = {"security": security, **settings}
        outcome = check.run_one_weave(worker, settings=settings_of_run, delivery_timeout=0.8)
        if worker.secret in outcome.log_text:
            check.fail(f"the error of a run {what} contains the {mode} secret")
        kinds.append(type(outcome.error).__name__)

    for fault in REPORTED:
        with worker.inject(fault):
            run(f"with the fault {fault.name}")
    run("to an invalid URL", url=worker.url.replace("https:", "gopher:"))
    worker.stub("task", error=ValueError("boom"))
    run("whose task raised")
    return kinds


def _misplaced(request: Request, secret: str, mode: str) -> str:
    """Name the forbidden place in which ``request`` contains ``secret``; return an empty string if
    there is none."""
    if secret in request.target:
        return "the URL, which every server and proxy logs"
    if secret.encode() in request.body:
        return "the body"
    for name, value in request.headers:
        if secret in value and not (mode == "bearer" and name.lower() == "authorization"):
            return f"the header {name}"
    return ""


@family.must(
    "33",
    sources.SECURITY,
    scenario="a run, and one that is abandoned, signed and with a bearer token",
    expected="no signing secret in a request; the token only in the Authorization header",
)
def secret_in_its_place(check: CaseContext) -> str:
    """A signing secret is never sent; a token is sent only in the Authorization header."""
    for mode in ("signed", "bearer"):
        worker, recorder = check.worker(security=mode), RequestRecorder()
        worker.inject(recorder)
        check.run_one_weave(worker)
        _abandon(check, worker)
        for request in recorder.requests:
            where = _misplaced(request, str(worker.secret), mode)
            if where:
                check.fail(f"the {mode} secret was sent in {where}")
    return "no secret in a wrong place"


def _abandon(check: CaseContext, worker: HttpWorker) -> None:
    """Let a run be abandoned, so that its cancel_task is sent, and answered with 500."""
    worker.hold(ABANDONED)
    worker.inject(Status(500), command="cancel_task")

    async def script(remote: Remote) -> None:
        cancel = await abandon_run(check, worker, remote)
        if cancel is not None:
            await wait_for_answer(cancel, check.seconds(PATIENCE))
            await asyncio.sleep(REPORTED_AFTER)

    check.run_script(worker, script)


@contextlib.contextmanager
def _captured_output() -> Iterator[io.StringIO]:
    """Collect everything that is printed, and everything that is logged at any level, while the
    block runs. Yields the stream with the text."""
    output = io.StringIO()
    handler, root = logging.StreamHandler(output), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            yield output
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@family.must(
    "38",
    sources.LOGGED,
    scenario=f"runs with no fault, and with {', '.join(fault.name for fault in LOGGED)}, and a"
    " cancel_task answered with 500; signed and with a bearer token",
    expected="no secret in the log, at any level, nor on the terminal",
    alone=True,
)
def secret_not_logged(check: CaseContext) -> str:
    """The secret is neither logged nor printed."""
    for mode in ("signed", "bearer"):
        worker = check.worker(security=mode, timeout=0.25)
        with _captured_output() as output:
            check.run_one_weave(worker)
            for fault in LOGGED:
                with worker.inject(fault):
                    check.run_one_weave(worker, delivery_timeout=1.0)
            _abandon(check, worker)
        if str(worker.secret) in output.getvalue():
            check.fail(f"the {mode} secret was logged or printed")
    return "neither logged nor printed"
