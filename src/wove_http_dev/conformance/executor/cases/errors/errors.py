"""Error cases: what the author of a weave is told when a run did not come to its result.

It reads errors as Wove hands them out: their type, text and payload.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wove_http_dev.conformance.case import MUST, SHOULD, Family
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cancelling import GIVEN_UP, answered, given_up
from wove_http_dev.conformance.executor.context import (
    PATIENCE,
    CaseContext,
    attempt,
    until,
    until_in_loop,
)
from wove_http_dev.conformance.executor.weaving import Remote, Told
from wove_http_dev.faults import Fault, connection, response, wire
from wove_http_dev.faults.auth import RejectAuth
from wove_http_dev.faults.events import UnpicklableException
from wove_http_dev.faults.run import LostResponse

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

errors = Family("errors")
TRANSPORT = (
    connection.RefuseConnections,
    connection.UntrustedCa,
    wire.ResetBeforeResponse,
    wire.CloseWithoutResponse,
    wire.TruncatedBody,
    wire.GarbageStatusLine,
    response.Status,
    response.EmptyBody,
    response.InvalidJson,
    response.HtmlPage,
)
"""Faults after which there is nothing to read in the answer, or no answer."""
CANCELS = (response.Status(500), wire.CloseWithoutResponse())
STALL = 0.5
DYING = 0.2
"""Seconds in which a thread that an exception ends has ended."""
STATUSES = (400, 401, 403, 404, 413, 429, 500, 503)


def error_of(check: CaseContext, told: Told, what: str) -> Told:
    """``told`` must be an error of the task."""
    if told.kind == "result":
        check.fail(f"{what}: the failure was swallowed, the weave has {told}")
    if told.kind == "nothing":
        check.fail(f"{what}: the failure was swallowed, the task has no result and no error")
    if told.kind == "raised":
        check.fail(f"{what}: {told}, and the task itself has no error")
    return told


def _transport(check: CaseContext, kind: type[Fault]) -> str:
    from wove.environment import DeliveryTimeoutError, EnvironmentExecutionError

    worker = check.worker(timeout=1.0)
    worker.inject(kind())
    fault = kind.name
    told = error_of(check, check.one(worker, delivery_timeout=1.5), f"after {fault}")
    if isinstance(told.error, DeliveryTimeoutError):
        check.fail(
            f"the transport failed ({fault}), and the executor swallowed that: the task only ended"
            f" by its delivery_timeout"
        )
    if not isinstance(told.error, EnvironmentExecutionError):
        check.fail(f"the transport failed ({fault}), and the task's error is {told}")
    if told.payload.get("source") != "transport":
        check.fail(
            f"the transport failed ({fault}), and the error's payload says source"
            f" {told.payload.get('source')!r}: {told}"
        )
    return str(told)


def _add_transport(number: int, kind: type[Fault]) -> None:
    fault = kind.name

    def body(check: CaseContext) -> str:
        return _transport(check, kind)

    body.__doc__ = "A failure of the transport is told as one, as the error of its task."
    errors.case(
        f"{number:02}",
        f"transport-{fault}",
        MUST,
        sources.TRANSPORT_ERRORS,
        sent=f"a weave of one task to a worker with the fault {fault}",
        expected='EnvironmentExecutionError, in its payload "source": "transport"',
    )(body)


for _index, _kind in enumerate(TRANSPORT):
    _add_transport(_index + 1, _kind)


@errors.case(
    "11",
    "its-own-task",
    MUST,
    sources.RUNTIME,
    sent="a task that depends on another one, and whose answer is lost; two runs at once, of which"
    " the answer to one is lost",
    expected="reading the one raises; the other has its result",
)
def its_own_task(check: CaseContext) -> str:
    """The task that failed has the error, and no other."""
    worker = check.worker()
    worker.inject(LostResponse(), task="*failing")

    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def first() -> str:
            return "first"

        @w.do(environment=environment)
        def failing(first: str) -> str:
            return f"not to be seen after {first}"

    weaving = check.weave(worker, define)
    check.ends(weaving, PATIENCE, "a weave of two tasks")
    said = error_of(check, weaving.told("failing"), "the answer of the task 'failing' was lost")
    if weaving.told("first").value != "first":
        check.fail(f"the task 'failing' failed, and 'first' has {weaving.told('first')}")
    gate = worker.hold("merge:beside")

    async def script(remote: Remote) -> tuple[Told, Told]:
        beside = asyncio.ensure_future(attempt(remote("beside", "beside")))
        await until_in_loop(lambda: bool(gate.runs), PATIENCE)
        failing = await attempt(remote("failing", delivery_timeout=2.0))
        gate.release()
        return failing, await beside

    failing, beside = check.script(worker, script)
    error_of(check, failing, "of two runs at once the answer to one was lost")
    if beside.value != "beside":
        check.fail(f"of two runs at once one failed, and the other one has {beside}")
    return str(said)


@errors.case(
    "12",
    "names-the-status",
    MUST,
    sources.STATUS,
    sent=f"runs answered with HTTP {', '.join(map(str, STATUSES))}",
    expected="each error names its status",
)
def names_the_status(check: CaseContext) -> str:
    """An HTTP error status is told."""
    worker = check.worker()
    for status in STATUSES:
        with worker.inject(response.Status(status)):
            told = error_of(check, check.one(worker), f"answered with HTTP {status}")
        if str(status) not in told.text:
            check.fail(f"answered with HTTP {status}, the error does not name the status: {told}")
    return str(told)


@errors.case(
    "13",
    "gives-the-reason",
    SHOULD,
    sources.STATUS,
    sent='a run refused with 401 and {"error": "the key was revoked"}',
    expected="the worker's reason in the error",
)
def gives_the_reason(check: CaseContext) -> str:
    """What the worker says in the body of an HTTP error reaches the author of the weave."""
    worker = check.worker()
    worker.inject(RejectAuth(reason="the key was revoked"))
    told = error_of(check, check.one(worker), "refused with 401")
    if "the key was revoked" not in told.text:
        check.fail(f"the body of the HTTP error was thrown away, and with it the reason: {told}")
    return str(told)


@errors.case(
    "14",
    "exception-of-the-task",
    MUST,
    sources.TASK_ERRORS,
    sent='a task that raises ValueError("boom 42")',
    expected="that ValueError",
)
def exception_of_the_task(check: CaseContext) -> str:
    """An exception of the task arrives with its type and message."""
    worker = check.worker()
    worker.stub("task", error=ValueError("boom 42"))
    told = error_of(check, check.one(worker), "a task that raised")
    if not isinstance(told.error, ValueError) or "boom 42" not in str(told.error):
        check.fail(f"the task raised ValueError: boom 42, and its author is told {told}")
    return str(told)


@errors.case(
    "15",
    "error-without-exception",
    MUST,
    sources.TASK_ERRORS,
    sent="a task_error with an error object and no exception",
    expected="EnvironmentExecutionError with that payload",
)
def error_without_exception(check: CaseContext) -> str:
    """An error that is described, not pickled, arrives with its message and payload."""
    from wove.environment import EnvironmentExecutionError

    worker = check.worker()
    error = {"kind": "DiskFull", "message": "no space left", "source": "task", "retryable": False}
    worker.stub("task", events=[{"type": "task_error", "error": error}])
    told = error_of(check, check.one(worker), "a task_error")
    if not isinstance(told.error, EnvironmentExecutionError) or "no space left" not in told.text:
        check.fail(f"the error object of a task_error was lost: {told}")
    if told.payload.get("kind") != "DiskFull":
        check.fail(f"the payload of the error is not the worker's: {dict(told.payload)!r}")
    return str(told)


@errors.case(
    "16",
    "unreadable-exception",
    SHOULD,
    sources.TASK_ERRORS,
    sent="a task_error whose exception does not unpickle, and whose error says what it was",
    expected="the real error's message",
)
def unreadable_exception(check: CaseContext) -> str:
    """If a task's exception cannot be unpickled, its description is told instead."""
    worker = check.worker()
    worker.inject(UnpicklableException())
    told = error_of(check, check.one(worker), "a task_error")
    if "the real error" not in told.text:
        check.fail(f"the task's real error was lost: its author is told {told}")
    return str(told)


@errors.case(
    "17",
    "refusal-not-retryable",
    SHOULD,
    sources.UNAUTHORIZED,
    sent="a run refused with 401, and one answered with 503",
    expected='in the payload of the first "retryable": false, of the second true',
)
def refusal_not_retryable(check: CaseContext) -> str:
    """An error says whether another try makes sense: not after a refusal."""
    worker = check.worker()
    for status, sensible in ((401, False), (503, True)):
        with worker.inject(response.Status(status)):
            told = error_of(check, check.one(worker), f"answered with HTTP {status}")
        if told.payload.get("retryable") is not sensible:
            check.fail(
                f"the error of HTTP {status} says retryable {told.payload.get('retryable')!r}"
            )
    return str(told)


@errors.case(
    "18",
    "no-thread-dies",
    SHOULD,
    sources.UNCAUGHT,
    sent=f"runs whose answers are lost or no JSON, and cancel_tasks answered with"
    f" {' and '.join(map(str, CANCELS))}",
    expected="no exception that nobody caught ends a thread",
)
def no_thread_dies(check: CaseContext) -> str:
    """A failure is told to the weave, not left to end a thread with a traceback on the terminal."""
    worker = check.worker(timeout=2.0)
    worker.hold(GIVEN_UP)
    worker.inject(LostResponse(), task="merge:lost")
    worker.inject(response.InvalidJson(), task="merge:garbled")

    async def script(remote: Remote) -> None:
        for name in ("lost", "garbled"):
            await attempt(remote(name, delivery_timeout=1.0))
        for answer in CANCELS:
            with worker.inject(answer, command="cancel_task"):
                found = await given_up(worker, remote, delivery_timeout=0.15)
                if found is not None:
                    await answered(found, PATIENCE)

    check.script(worker, script)
    until(lambda: bool(check.uncaught), DYING)
    if check.uncaught:
        count = len(check.uncaught)
        check.fail(
            f"{count} of the executor's threads ended by an exception that nobody caught, the first"
            f" by {check.uncaught[0]}"
        )
    return "none"


@errors.case(
    "19",
    "transport-timeout",
    MUST,
    sources.TRANSPORT_ERRORS,
    sent=f"a run that the worker does not answer within the executor's timeout of {STALL:g} s",
    expected='an error with "source": "transport"',
)
def transport_timeout(check: CaseContext) -> str:
    """A worker that does not answer in time is a failure of the transport, not of the task."""
    worker = check.worker(timeout=STALL)
    worker.hold("task")
    told = error_of(check, check.one(worker, delivery_timeout=PATIENCE), "not answered in time")
    source = told.payload.get("source")
    if source != "transport":
        check.fail(f"the worker did not answer in time, and the error says source {source!r}")
    return str(told)


@errors.case(
    "20",
    "payload-of-the-task",
    MUST,
    sources.TASK_ERRORS,
    sent="a task_error whose error object has more fields than kind and message",
    expected="the worker's source, retryable and traceback in the error's payload",
)
def payload_of_the_task(check: CaseContext) -> str:
    """What a worker says of an error reaches the author of the weave whole."""
    worker = check.worker()
    error = {
        "kind": "DiskFull",
        "message": "no space left",
        "traceback": "File worker.py, line 7",
        "retryable": False,
        "source": "task",
    }
    worker.stub("task", events=[{"type": "task_error", "error": error}])
    told = error_of(check, check.one(worker), "a task_error")
    for name, value in error.items():
        if told.payload.get(name) != value:
            check.fail(
                f"the task's error said {name}: {value!r}, and its author is told"
                f" {told.payload.get(name)!r}"
            )
    return str(dict(told.payload))
