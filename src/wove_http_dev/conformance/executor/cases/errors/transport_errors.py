"""Cases about failures between executor and worker: each becomes an error of the task, and the
error has ``"source": "transport"`` and says the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wove_http_dev.client import dns
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import (
    ABANDONED,
    abandon_run,
    wait_for_answer,
)
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.errors import family
from wove_http_dev.conformance.executor.context import MARGIN, PATIENCE, CaseContext
from wove_http_dev.conformance.executor.waits import attempt, wait_until_async, watch
from wove_http_dev.faults import Fault, connection, response, wire
from wove_http_dev.faults.auth import RejectAuth
from wove_http_dev.faults.run import Hang, LostResponse
from wove_http_dev.weave_outcome import WeaveOutcome
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

CANCEL_ANSWERS = (response.Status(500), wire.CloseWithoutResponse())
STALL = 0.5
"""Seconds of the executor's timeout in cases where the worker answers too late."""
DYING = 0.2
"""Seconds to wait for the report of an uncaught exception that is just ending a thread."""
STATUSES = (400, 401, 403, 404, 408, 413, 429, 500, 503)
CONNECTIONS = (
    connection.HandshakeClose(),
    connection.PlaintextOnTlsPort(),
    connection.ExpiredCertificate(),
    connection.WrongHostname(),
)
"""Faults before the request; each needs a weave of its own, with connections of its own."""
ANSWERS = (
    LostResponse(),
    wire.ResetMidBody(),
    wire.BadChunk(),
    response.InvalidUtf8(),
    response.Status(503, retry_after=0.0),
)
NOWHERE = "no-such-host.invalid"
"""A host that never exists (RFC 6761, 6.4)."""
STALLS = (Hang(), wire.StallMidBody())


@family.each(
    {
        "01": connection.RefuseConnections,
        "02": connection.UntrustedCa,
        "03": wire.ResetBeforeResponse,
        "04": wire.CloseWithoutResponse,
        "05": wire.TruncatedBody,
        "06": wire.GarbageStatusLine,
        "07": response.Status,
        "08": response.EmptyBody,
        "09": response.InvalidJson,
        "10": response.HtmlPage,
    },
    sources.TRANSPORT_ERRORS,
    name="transport-{0.name}",
    scenario="a weave of one task to a worker with the fault {0.name}",
    expected='EnvironmentExecutionError with "source": "transport" in its payload',
)
def transport(check: CaseContext, kind: type[Fault]) -> str:
    """A transport failure becomes an error of its task, marked as a transport error."""
    worker = check.worker(timeout=check.seconds(1.0))
    worker.inject(kind())
    outcome = check.run_one_weave(worker, delivery_timeout=check.seconds(1.5))
    return _expect_transport_error(check, outcome, kind.name)


def _expect_transport_error(check: CaseContext, outcome: WeaveOutcome, fault: str) -> str:
    from wove.environment import EnvironmentExecutionError

    check.expect_error(outcome, f"after {fault}")
    if outcome.timed_out:
        check.fail(
            f"the transport failed ({fault}), and the executor swallowed the error: the task ended"
            " only by its delivery_timeout",
            late=True,
        )
    if not isinstance(outcome.error, EnvironmentExecutionError):
        check.fail(f"the transport failed ({fault}), and the task's error is {outcome}")
    if outcome.payload.get("source") != "transport":
        check.fail(
            f"the transport failed ({fault}), and the error's payload says source"
            f" {outcome.payload.get('source')!r}: {outcome}"
        )
    return str(outcome)


@family.must(
    "25",
    sources.TRANSPORT_ERRORS,
    scenario="weaves of one task whose connection fails: "
    f"{', '.join(map(str, CONNECTIONS))}, a host that does not resolve; and runs whose answers"
    f" are: {'; '.join(map(str, (*ANSWERS, *STALLS)))}; the executor's timeout {STALL:g} s",
    expected='EnvironmentExecutionError with "source": "transport" in the payload of each',
)
def every_stage(check: CaseContext) -> str:
    """A transport failure at any stage becomes an error of its task, marked as one of transport."""
    worker, limit = check.worker(timeout=check.seconds(1.0)), check.seconds(1.5)
    for fault in CONNECTIONS:
        with worker.inject(fault):
            outcome = check.run_one_weave(worker, delivery_timeout=limit)
        _expect_transport_error(check, outcome, str(fault))
    # The resolver refuses a blank without asking a server, which might be slow to answer.
    check.enter(dns.resolve_to(NOWHERE, 443, (" ", 443)))
    unresolved = {"url": f"https://{NOWHERE}/wove/tasks"}
    outcome = check.run_one_weave(worker, settings=unresolved, delivery_timeout=limit)
    _expect_transport_error(check, outcome, "a host that does not resolve")
    _expect_transport_errors(check, worker, ANSWERS, limit)
    _expect_transport_errors(
        check, check.worker(timeout=STALL), STALLS, STALL + check.seconds(MARGIN)
    )
    return f"{len(CONNECTIONS) + 1 + len(ANSWERS) + len(STALLS)} transport errors"


def _expect_transport_errors(
    check: CaseContext, worker: HttpWorker, faults: Sequence[Fault], limit: float
) -> None:
    """Run a task with each of ``faults``, all at once, with ``limit`` as delivery_timeout."""
    for number, fault in enumerate(faults):
        worker.inject(fault, task=f"merge:failing_{number}")

    async def script(remote: Remote) -> list[WeaveOutcome]:
        runs = (remote(f"failing_{n}", delivery_timeout=limit) for n in range(len(faults)))
        return await asyncio.gather(*map(attempt, runs))

    outcomes = check.run_script(worker, script, planned=limit)
    for fault, outcome in zip(faults, outcomes, strict=True):
        _expect_transport_error(check, outcome, str(fault))


@family.must(
    "11",
    sources.RUNTIME,
    scenario="a task that depends on another one, and whose answer is lost; two runs at once, of"
    " which the answer to one is lost",
    expected="the task with the lost answer has an error; the other task has its result",
)
def its_own_task(check: CaseContext) -> str:
    """Only the task whose answer was lost gets an error."""
    worker = check.worker()
    worker.inject(LostResponse(), task="*failing")
    actual = _dependent_task_fails(check, worker)
    _parallel_run_fails(check, worker)
    return actual


def _dependent_task_fails(check: CaseContext, worker: HttpWorker) -> str:
    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def first() -> str:
            return "first"

        @w.do(environment=environment)
        def failing(first: str) -> str:
            return f"not to be seen after {first}"

    weave = check.weave(worker, define)
    check.expect_end(weave, PATIENCE, "a weave of two tasks")
    failing, first = weave.outcome("failing"), weave.outcome("first")
    check.expect_error(failing, "the answer of the task 'failing' was lost")
    if first.value != "first":
        what = f"the answer of 'failing' was lost, and 'first' ended with {first}"
        check.fail(what)
    return str(failing)


def _parallel_run_fails(check: CaseContext, worker: HttpWorker) -> None:
    gate = worker.hold("merge:beside")

    async def script(remote: Remote) -> tuple[WeaveOutcome, WeaveOutcome]:
        beside = asyncio.ensure_future(attempt(remote("beside", "beside")))
        await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE))
        failing = await attempt(remote("failing", delivery_timeout=check.seconds(2.0)))
        gate.release()
        return failing, await beside

    failing, beside = check.run_script(worker, script)
    check.expect_error(failing, "of two runs at once the answer to one was lost")
    if beside.value != "beside":
        what = f"of two runs at once one failed, and the other ended with {beside}"
        check.fail(what)


@family.must(
    "12",
    sources.STATUS,
    scenario=f"runs answered with HTTP {', '.join(map(str, STATUSES))}",
    expected="each error names its status",
)
def names_the_status(check: CaseContext) -> str:
    """The error names the HTTP status."""
    worker = check.worker()
    for status in STATUSES:
        with worker.inject(response.Status(status)):
            outcome = check.expect_error(
                check.run_one_weave(worker), f"answered with HTTP {status}"
            )
        if str(status) not in outcome.text:
            check.fail(
                f"answered with HTTP {status}, the error does not name the status: {outcome}",
            )
    return str(outcome)


@family.should(
    "13",
    sources.STATUS,
    scenario='a run refused with 401 and {"error": "the key was revoked"}',
    expected="the worker's reason in the error",
)
def gives_the_reason(check: CaseContext) -> str:
    """The reason in the body of an HTTP error reaches the author of the weave."""
    worker = check.worker()
    worker.inject(RejectAuth(reason="the key was revoked"))
    outcome = check.expect_error(check.run_one_weave(worker), "refused with 401")
    if "the key was revoked" not in outcome.text:
        check.fail(f"the reason in the body of the HTTP error is not in the error: {outcome}")
    return str(outcome)


@family.should(
    "17",
    sources.UNAUTHORIZED,
    scenario="a run refused with 401, and one answered with 503",
    expected='"retryable": false in the payload of the first error, true in that of the second',
)
def refusal_not_retryable(check: CaseContext) -> str:
    """An error says whether a retry makes sense; after a refusal it does not."""
    worker = check.worker()
    for status, retryable in ((401, False), (503, True)):
        with worker.inject(response.Status(status)):
            outcome = check.expect_error(
                check.run_one_weave(worker), f"answered with HTTP {status}"
            )
        if outcome.payload.get("retryable") is not retryable:
            check.fail(
                f"the error of HTTP {status} says retryable {outcome.payload.get('retryable')!r}"
            )
    return str(outcome)


@family.should(
    "18",
    sources.UNCAUGHT,
    scenario="runs whose answers are lost or not JSON, and cancel_tasks answered with"
    f" {' and '.join(map(str, CANCEL_ANSWERS))}",
    expected="no thread is ended by an uncaught exception",
    alone=True,
)
def no_thread_dies(check: CaseContext) -> str:
    """A failure is reported to the weave; no thread of the executor ends with an uncaught
    exception."""
    worker = check.worker(timeout=check.seconds(4.0))
    worker.hold(ABANDONED)
    worker.inject(LostResponse(), task="merge:lost")
    worker.inject(response.InvalidJson(), task="merge:garbled")

    async def script(remote: Remote) -> None:
        for name in ("lost", "garbled"):
            await attempt(remote(name, delivery_timeout=1.0))
        for answer in CANCEL_ANSWERS:
            with worker.inject(answer, command="cancel_task"):
                cancel = await abandon_run(check, worker, remote)
                if cancel is not None:
                    await wait_for_answer(cancel, check.seconds(PATIENCE))

    check.run_script(worker, script)
    watch(lambda: bool(check.uncaught), check.silence(DYING))
    if check.uncaught:
        check.fail(
            f"{len(check.uncaught)} of the executor's threads ended by an uncaught exception, the"
            f" first by {check.uncaught[0]}"
        )
    return "none"


@family.must(
    "19",
    sources.TRANSPORT_ERRORS,
    scenario=f"a run that the worker does not answer within the executor's timeout of {STALL:g} s",
    expected='an error with "source": "transport"',
)
def transport_timeout(check: CaseContext) -> str:
    """A worker that does not answer in time causes a transport error, not an error of the task."""
    worker = check.worker(timeout=STALL)
    worker.hold("task")
    outcome = check.expect_error(
        check.run_one_weave(worker, planned=STALL, delivery_timeout=STALL + check.seconds(2.0)),
        "not answered in time",
    )
    source = outcome.payload.get("source")
    if source != "transport":
        what = f"the worker did not answer in time, and the error says source {source!r}"
        check.fail(what)
    return str(outcome)
