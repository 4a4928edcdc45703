"""Security cases, requests: each is authenticated and signs what it sends, and what a worker
answers is not trusted beyond its run."""

from __future__ import annotations

from wove_http_dev.conformance.case import MUST, SHOULD, Family, NotApplicable
from wove_http_dev.conformance.executor import sources, tasks
from wove_http_dev.conformance.executor.cancelling import GIVEN_UP, NONE_ARRIVED, SENT
from wove_http_dev.conformance.executor.context import (
    CaseContext,
    attempt,
    frames_of,
    headers_of,
    requests_of,
    until_in_loop,
)
from wove_http_dev.conformance.executor.refusals import Witness, refusal, signed_over
from wove_http_dev.conformance.executor.weaving import Remote
from wove_http_dev.faults.auth import RejectAuth
from wove_http_dev.faults.connection import RefuseConnections, UntrustedCa
from wove_http_dev.faults.events import MissingTerminal
from wove_http_dev.faults.response import InvalidJson, Redirect, Status
from wove_http_dev.faults.wire import StallMidBody
from wove_http_dev.protocol import frames as wire
from wove_http_dev.protocol.authenticator import NONCE
from wove_http_dev.runs.records import Exchange
from wove_http_dev.worker import HttpWorker

security = Family("security")
REQUESTS = 20
UNTOLD = (
    RejectAuth(),
    Status(500),
    Redirect(302),
    InvalidJson(),
    MissingTerminal(),
    StallMidBody(),
    RefuseConnections(),
    UntrustedCa(),
)
"""Failures on different ways through an executor; each has an error of its own."""


def _authenticated(check: CaseContext, worker: HttpWorker) -> list[Exchange]:
    """Every request so far was let in."""
    requests = requests_of(worker)
    for exchange in requests:
        if not exchange.accepted:
            what = exchange.frame_type or "request"
            check.fail(f"a {what} was not authenticated as configured: {refusal(exchange)}")
    return requests


def _runs(check: CaseContext, mode: str) -> str:
    worker = check.worker(security=mode)

    async def script(remote: Remote) -> list[object]:
        return [await remote("task", number) for number in range(5)]

    try:
        check.script(worker, script)
    finally:
        requests = _authenticated(check, worker)
    return f"{len(requests)} requests, all accepted"


@security.case(
    "12",
    "run-frames-signed",
    MUST,
    sources.SECURITY,
    sent="five runs, with a signing secret configured",
    expected="every run_task carries a valid signature",
)
def run_frames_signed(check: CaseContext) -> str:
    """Where a secret is configured, no run_task goes out without a valid signature."""
    return _runs(check, "signed")


@security.case(
    "13",
    "run-frames-bearer",
    MUST,
    sources.SECURITY,
    sent="five runs, with a bearer token configured",
    expected="every run_task carries the token",
)
def run_frames_bearer(check: CaseContext) -> str:
    """Where a bearer token is configured, no run_task goes out without it."""
    return _runs(check, "bearer")


def _cancels(check: CaseContext, mode: str) -> str:
    worker = check.worker(security=mode)
    worker.hold(GIVEN_UP)

    async def script(remote: Remote) -> None:
        await attempt(remote("given_up", delivery_timeout=0.3))
        # A refused frame's type is peeked at, so an unsigned one is seen here as well.
        await until_in_loop(lambda: bool(frames_of(worker, "cancel_task")), SENT)

    check.script(worker, script)
    _authenticated(check, worker)
    cancels = frames_of(worker, "cancel_task")
    if not cancels:
        raise NotApplicable(NONE_ARRIVED)
    return f"{len(cancels)} cancel_task, accepted"


@security.case(
    "14",
    "cancel-frames-signed",
    MUST,
    sources.SECURITY,
    sent="a run that its delivery_timeout ends, with a signing secret configured",
    expected="the cancel_task carries a valid signature",
)
def cancel_frames_signed(check: CaseContext) -> str:
    """Where a secret is configured, no cancel_task goes out unsigned either."""
    return _cancels(check, "signed")


@security.case(
    "15",
    "cancel-frames-bearer",
    MUST,
    sources.SECURITY,
    sent="a run that its delivery_timeout ends, with a bearer token configured",
    expected="the cancel_task carries the token",
)
def cancel_frames_bearer(check: CaseContext) -> str:
    """Where a bearer token is configured, no cancel_task goes out without it either."""
    return _cancels(check, "bearer")


@security.case(
    "16",
    "signature-covers-target",
    MUST,
    sources.SECURITY,
    sent="a run to a URL with an escaped path and a query",
    expected="a signature over the target exactly as the request line has it",
)
def signature_covers_target(check: CaseContext) -> str:
    """The signature covers the request's target, its query and its escapes as they are sent."""
    worker = check.worker(path="/wove/t%C3%A4sks")
    url = f"{worker.url}?tenant=a%20b&x=1&x=2"
    witness = Witness()
    worker.inject(witness)
    told = check.one(worker, settings={"url": url})
    for exchange, request in zip(requests_of(worker), witness.requests, strict=False):
        if exchange.code == "signature-mismatch":
            check.fail(
                f"the signature of a {exchange.frame_type} does not cover the target on its request"
                f" line, {request.target!r}: {signed_over(request, worker.credentials.secret, url)}"
            )
    _authenticated(check, worker)
    if told.kind != "result":
        check.fail(f"{told}")
    return f"accepted: {requests_of(worker)[-1].target}"


@security.case(
    "17",
    "fresh-nonces",
    MUST,
    sources.SECURITY,
    sent=f"{REQUESTS} runs in one weave and one in another",
    expected=f"{REQUESTS + 1} different nonces",
)
def fresh_nonces(check: CaseContext) -> str:
    """Each request has a nonce of its own."""
    worker = check.worker()

    async def script(remote: Remote) -> None:
        for number in range(REQUESTS):
            await attempt(remote("task", number))

    check.script(worker, script)
    check.one(worker)
    nonces = [nonce for each in requests_of(worker) for nonce in headers_of(each).getlist(NONCE)]
    if len(nonces) != len(set(nonces)):
        check.fail(f"a nonce was used again: {len(set(nonces))} among {len(nonces)} requests")
    _authenticated(check, worker)
    if len(nonces) < REQUESTS + 1:
        check.fail(f"{len(nonces)} signed requests arrived for {REQUESTS + 1} runs")
    return f"{len(nonces)} nonces, all different"


@security.case(
    "18",
    "secret-not-told",
    MUST,
    sources.LEAK,
    sent=f"runs with the faults {', '.join(fault.name for fault in UNTOLD)}, to a URL that cannot"
    " be, and of a task that raises; signed and with a bearer token",
    expected="errors in which neither the secret nor the token stands",
)
def secret_not_told(check: CaseContext) -> str:
    """An error does not give the secret away, nor do its notes, its payload and its traceback."""
    kinds = [*_kinds_of_errors(check, "signed"), *_kinds_of_errors(check, "bearer")]
    return ", ".join(dict.fromkeys(kinds))


def _kinds_of_errors(check: CaseContext, mode: str) -> list[str]:
    """The types of errors, none of which tells the secret."""
    worker, kinds = check.worker(security=mode, timeout=0.4), []
    # Words without our redacted repr: an executor's user has no other.
    security = {name: str(value) for name, value in check.security_of(worker).items()}

    def one(what: str, **settings: str) -> None:
        told = check.one(worker, settings={"security": security, **settings}, delivery_timeout=0.8)
        if worker.secret in told.everything:
            check.fail(f"the error of a run {what} tells the {mode} secret")
        kinds.append(type(told.error).__name__)

    for fault in UNTOLD:
        with worker.inject(fault):
            one(f"with the fault {fault.name}")
    one("to a URL that cannot be", url=worker.url.replace("https:", "gopher:"))
    worker.stub("task", error=ValueError("boom"))
    one("whose task raised")
    return kinds


@security.case(
    "19",
    "foreign-pickles-not-loaded",
    SHOULD,
    sources.UNTRUSTED_PICKLES,
    sent="a right answer with a task_result and a task_error for a run that does not exist, their"
    " pickles such as report",
    expected="the task's result; those pickles are not loaded",
)
def foreign_pickles_not_loaded(check: CaseContext) -> str:
    """A payload is unpickled only for a run that waits for it."""
    worker = check.worker()
    trap, result = tasks.Trap(), wire.encode_payload(wire.dumps("mine"))
    worker.stub(
        "task",
        events=[
            {
                "type": "task_result",
                "run_id": "nobody:0",
                "result_pickle": wire.encode_payload(wire.dumps(trap)),
            },
            {
                "type": "task_error",
                "run_id": "nobody:0",
                "error": {"message": "of nobody"},
                "exception_pickle": wire.encode_payload(wire.dumps(trap)),
            },
            {"type": "task_result", "result_pickle": result},
        ],
    )
    told = check.one(worker)
    if trap.sprung:
        check.fail(f"the pickle of a frame for a run that nobody waits for was loaded; {told}")
    return f"not loaded; {told}"
