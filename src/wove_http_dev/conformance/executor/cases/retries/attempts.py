"""Cases about repeated attempts at a task: Wove makes them, each with a new run id. The executor
must not retry by itself, and must not send a run that Wove has already given up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.retries import family
from wove_http_dev.conformance.executor.context import PATIENCE, POOL_OVERFLOW, CaseContext
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.waits import attempt, watch_async
from wove_http_dev.faults import Fault, response, wire
from wove_http_dev.faults.fault import Connection
from wove_http_dev.faults.run import LostResponse, Saturated
from wove_http_dev.worker import HttpWorker

FAILURES = (
    LostResponse(),
    wire.ResetBeforeResponse(),
    wire.ResetMidBody(),
    wire.TruncatedBody(),
    wire.BadChunk(),
    response.InvalidJson(),
    response.EmptyBody(),
    *(response.Status(code) for code in (500, 502, 504)),
)
"""Answers after which the task may have run."""
STALL = wire.StallMidBody(seconds=1.5)
STALL_TIMEOUT = 0.5
"""Seconds of the executor's timeout; it ends before the stalled answer and before the
delivery_timeout."""
QUIET = 0.5
"""Seconds to wait for a frame that the executor may still be sending."""
CONNECTING = 0.15
"""Seconds of the ``delivery_timeout`` of a run whose connection is not made."""
GRACE = 0.1
"""Seconds by which the executor's timeout may end later than it should."""
GIVEN_UP = 0.8
"""Seconds of the ``delivery_timeout`` of many runs at once."""
RETRY_AFTER = 1.0


@family.must(
    "01",
    sources.RUNTIME,
    scenario="a task with two retries, whose first two answers are lost",
    expected="three run_task frames, three run ids, and the result",
)
def own_run_id(check: CaseContext) -> str:
    """Each attempt of a task has a different run id."""
    worker = check.worker()
    worker.inject(LostResponse(), times=2)
    outcome = check.run_one_weave(worker, retries=2)
    ids = [frame.run_id for frame in frames_of(worker, "run_task")]
    if len(set(ids)) != len(ids):
        check.fail(f"a retry was sent with the run_id of another attempt: {len(ids)} frames")
    if outcome.value != "the result" or len(ids) != 3:
        check.fail(
            f"two answers were lost and two retries were allowed: {len(ids)} frames, {outcome}",
        )
    return f"{len(ids)} frames, {outcome}"


@family.must(
    "02",
    sources.NOT_RETRIED,
    scenario="tasks without retries, each after one that worked; their answers:"
    f" {'; '.join(map(str, (*FAILURES, STALL)))}",
    expected="one run_task frame each",
)
def not_by_itself(check: CaseContext) -> str:
    """The executor does not resend a run by itself, because the task may have run."""
    _expect_one_frame_each(check, check.worker(), FAILURES)
    _expect_one_frame_each(check, check.worker(timeout=STALL_TIMEOUT), [STALL])
    return "one frame each"


def _expect_one_frame_each(check: CaseContext, worker: HttpWorker, faults: Sequence[Fault]) -> None:
    """Run a task with each of ``faults``. The one before it works, so that an executor that keeps
    its connections open sends the other one on a connection that was used before."""
    for number, fault in enumerate(faults):
        worker.inject(fault, task=f"merge:failing_{number}")

    async def script(remote: Remote) -> None:
        for number in range(len(faults)):
            await attempt(remote("works"))
            limit = check.seconds(1.0)
            await attempt(remote(f"failing_{number}", retries=0, delivery_timeout=limit))

    check.run_script(worker, script, within=PATIENCE + len(faults))
    for number, fault in enumerate(faults):
        name = f"merge:failing_{number}"
        count = sum(frame.task_id == name for frame in frames_of(worker, "run_task"))
        if count > 1:
            check.fail(f"after {fault} {count} run_task frames arrived for a task with one attempt")


async def _settled(check: CaseContext, worker: HttpWorker, remote: Remote) -> int:
    """Return how many runs that were given up have arrived, once no more of them arrive: neither
    until a later run has its result, nor in the time after that."""

    arrived = -1

    def more() -> bool:
        return len(frames_of(worker, "run_task", "abandoned")) > arrived

    while more():
        arrived = len(frames_of(worker, "run_task", "abandoned"))
        await attempt(remote("later", delivery_timeout=check.seconds(1.0)))
        await watch_async(more, check.silence(QUIET))
    return arrived


@family.should(
    "03",
    sources.RUNTIME,
    scenario=f"{POOL_OVERFLOW} runs at once that the worker does not answer, until the"
    " delivery_timeout of all of them ends; then the worker answers again, and the weave continues",
    expected="no further run_task",
)
def given_up_not_sent(check: CaseContext) -> str:
    """A run that was abandoned before it was sent is not sent afterwards."""
    worker = check.quick_worker()
    gate = worker.hold("merge:abandoned")

    async def script(remote: Remote) -> int:
        runs = (remote("abandoned", delivery_timeout=GIVEN_UP) for _ in range(POOL_OVERFLOW))
        await asyncio.gather(*map(attempt, runs))
        before = await _settled(check, worker, remote)
        gate.release()
        return await _settled(check, worker, remote) - before

    late = check.run_script(worker, script, planned=GIVEN_UP)
    if late:
        check.fail(
            f"{late} or more run_task frames were sent for runs whose delivery_timeout had ended"
            " before: tasks run although nothing waits for them"
        )
    return "none"


@family.should(
    "04",
    sources.RETRY_AFTER,
    scenario=f"a task with one retry, first answered with 503 and Retry-After: {RETRY_AFTER:g}",
    expected=f"the second run_task {RETRY_AFTER:g} s after that answer, or none",
)
def retry_after(check: CaseContext) -> str:
    """The executor respects a worker's Retry-After."""
    worker = check.worker()
    worker.inject(Saturated(retry_after=RETRY_AFTER), times=1)
    outcome = check.run_one_weave(worker, retries=1)
    frames = frames_of(worker, "run_task")
    if len(frames) < 2:
        return f"no second attempt; {outcome}"
    pause = frames[1].received - frames[0].received - (frames[0].duration or 0.0)
    if pause < RETRY_AFTER * 0.9:
        check.fail(
            f"Retry-After was {RETRY_AFTER:g} s, but the next run_task came {pause:.2f} s after"
            " the answer"
        )
    return f"{pause:.2f} s later; {outcome}"


@family.must(
    "05",
    sources.RUNTIME,
    scenario="a task with a delivery_idempotency_key and one retry, whose first answer is lost",
    expected="the same key in both run_task frames",
)
def idempotency_key_kept(check: CaseContext) -> str:
    """All attempts of a task carry its idempotency key, so that a worker can recognise repeats."""
    worker = check.worker()
    worker.inject(LostResponse(), times=1)
    outcome = check.run_one_weave(worker, retries=1, delivery_idempotency_key="key-7")
    keys = [run.delivery.get("delivery_idempotency_key") for run in worker.runs]
    if keys != ["key-7", "key-7"]:
        what = f"the idempotency keys of two attempts were {keys!r}; {outcome}"
        check.fail(what)
    return repr(keys)


@dataclass(frozen=True)
class LateHandshake(Fault):
    """Begins the TLS handshake only when the fault is removed, and then serves the connection."""

    stage: ClassVar[str] = "connection"

    def on_connection(self, connection: Connection) -> None:
        """Wait, then do what happens without a fault."""
        connection.wait(None)
        connection.proceed()


@family.should(
    "09",
    sources.TIMEOUTS,
    scenario="a run whose connection the worker accepts, without the TLS handshake, until its"
    f" delivery_timeout and the executor's timeout of {STALL_TIMEOUT:g} s have ended; then the"
    " handshake, and the weave continues",
    expected="no run_task for the run that was given up",
)
def given_up_while_connecting(check: CaseContext) -> str:
    """A run whose connection was not made in time is not sent afterwards."""
    worker = check.worker(timeout=STALL_TIMEOUT)
    late = worker.inject(LateHandshake(), times=1)

    async def script(remote: Remote) -> None:
        for timeout in (CONNECTING, 4 * CONNECTING, 16 * CONNECTING):
            await attempt(remote("abandoned", delivery_timeout=timeout))
            if late.hits:
                break
        await asyncio.sleep(STALL_TIMEOUT + check.seconds(GRACE))
        late.remove()
        await attempt(remote("later", delivery_timeout=check.seconds(2.0)))
        await watch_async(
            lambda: bool(frames_of(worker, "run_task", "abandoned")), check.silence(QUIET)
        )

    check.run_script(worker, script, planned=2 * STALL_TIMEOUT)
    if not late.hits:
        raise NotApplicable("no connection was made")
    if frames_of(worker, "run_task", "abandoned"):
        check.fail(
            "a run was given up while its connection was being made, and its run_task was sent"
            " after the executor's timeout: the task runs although nothing waits for it",
            late=True,  # the executor's timer may have been late
        )
    return "not sent"
