"""Retry cases: a retry is Wove's to make and a run of its own; the executor makes none, and what
was given up is not sent any more."""

from __future__ import annotations

import asyncio

from wove_http_dev.conformance.case import MUST, SHOULD, Family
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.cancel.cancel import MANY
from wove_http_dev.conformance.executor.context import (
    TIMEOUT,
    CaseContext,
    attempt,
    frames_of,
    until_in_loop,
)
from wove_http_dev.conformance.executor.weaving import Remote
from wove_http_dev.faults import response, wire
from wove_http_dev.faults.run import LostResponse, Saturated

retries = Family("retries")
FAILURES = (
    LostResponse(),
    wire.ResetBeforeResponse(),
    wire.ResetMidBody(),
    wire.TruncatedBody(),
    wire.BadChunk(),
    response.InvalidJson(),
    wire.StallMidBody(seconds=1.5),
    response.EmptyBody(),
    *(response.Status(code) for code in (429, 500, 502, 503, 504)),
    Saturated(),
)
STALL_TIMEOUT = 0.5
"""Seconds: the executor's timeout, which ends the stall before its delivery_timeout does."""
QUIET = 0.5
"""Seconds in which what was already under way arrives."""
RETRY_AFTER = 1.0


@retries.case(
    "01",
    "own-run-id",
    MUST,
    sources.RUNTIME,
    sent="a task with two retries, whose first two answers are lost",
    expected="three run_task frames, three run ids, and the result",
)
def own_run_id(check: CaseContext) -> str:
    """Each attempt is a run with an id of its own."""
    worker = check.worker()
    worker.inject(LostResponse(), times=2)
    told = check.one(worker, retries=2)
    ids = [frame.run_id for frame in frames_of(worker, "run_task")]
    if len(set(ids)) != len(ids):
        check.fail(f"a retry was sent with the run_id of another attempt: {len(ids)} frames")
    if told.value != "the result" or len(ids) != 3:
        check.fail(f"two answers were lost and two retries allowed: {len(ids)} frames, {told}")
    return f"{len(ids)} frames, {told}"


@retries.case(
    "02",
    "not-by-itself",
    MUST,
    sources.NOT_RETRIED,
    sent=f"tasks without retries; their answers: {'; '.join(map(str, FAILURES))}",
    expected="one run_task frame each",
)
def not_by_itself(check: CaseContext) -> str:
    """The executor does not send a run again on its own: the task may have run."""
    for failure in FAILURES:
        stalls = isinstance(failure, wire.StallMidBody)
        worker = check.worker(timeout=STALL_TIMEOUT if stalls else TIMEOUT)
        worker.inject(failure)
        check.one(worker, retries=0, delivery_timeout=1.0)
        count = len(frames_of(worker, "run_task"))
        if count != 1:
            check.fail(f"after {failure} {count} run_task frames arrived for a task of one attempt")
    return "one frame each"


@retries.case(
    "03",
    "given-up-not-sent",
    SHOULD,
    sources.RUNTIME,
    sent=f"{MANY} runs at once that the worker does not answer, until their delivery_timeout ends"
    " all of them; then the worker answers again, and the weave goes on",
    expected="no run_task any more",
)
def given_up_not_sent(check: CaseContext) -> str:
    """A run that was given up before it was sent is not sent afterwards."""
    worker = check.worker()
    gate = worker.hold("merge:given_up")

    async def script(remote: Remote) -> int:
        runs = [attempt(remote("given_up", delivery_timeout=0.8)) for _ in range(MANY)]
        await asyncio.gather(*runs)
        await until_in_loop(lambda: False, QUIET)
        before = len(frames_of(worker, "run_task"))
        gate.release()
        await until_in_loop(lambda: len(frames_of(worker, "run_task")) > before, QUIET)
        return len(frames_of(worker, "run_task")) - before

    late = check.script(worker, script)
    if late:
        check.fail(
            f"{late} or more run_task frames were sent for runs that their delivery_timeout had"
            " ended long before: tasks run that nobody waits for"
        )
    return "none"


@retries.case(
    "04",
    "retry-after",
    SHOULD,
    sources.RETRY_AFTER,
    sent=f"a task with one retry, first answered with 503 and Retry-After: {RETRY_AFTER:g}",
    expected=f"the second run_task {RETRY_AFTER:g} s after that answer, or none",
)
def retry_after(check: CaseContext) -> str:
    """A worker that says when to come again is not asked before."""
    worker = check.worker()
    worker.inject(Saturated(retry_after=RETRY_AFTER), times=1)
    told = check.one(worker, retries=1)
    frames = frames_of(worker, "run_task")
    if len(frames) < 2:
        return f"no second attempt; {told}"
    pause = frames[1].received - frames[0].received - (frames[0].duration or 0.0)
    if pause < RETRY_AFTER * 0.9:
        check.fail(
            f"Retry-After was {RETRY_AFTER:g} s, and the next run_task came {pause:.2f} s on"
        )
    return f"{pause:.2f} s later; {told}"


@retries.case(
    "05",
    "idempotency-key-kept",
    MUST,
    sources.RUNTIME,
    sent="a task with a delivery_idempotency_key and one retry, whose first answer is lost",
    expected="the same key in both run_task frames",
)
def idempotency_key_kept(check: CaseContext) -> str:
    """All attempts of a task carry its idempotency key, so that a worker can tell."""
    worker = check.worker()
    worker.inject(LostResponse(), times=1)
    told = check.one(worker, retries=1, delivery_idempotency_key="key-7")
    keys = [run.delivery.get("delivery_idempotency_key") for run in worker.runs]
    if keys != ["key-7", "key-7"]:
        check.fail(f"the idempotency keys of two attempts were {keys!r}; {told}")
    return repr(keys)
