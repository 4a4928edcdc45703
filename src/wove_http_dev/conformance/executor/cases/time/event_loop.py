"""Time cases, the event loop: it belongs to the application, and the executor never blocks it.

A heartbeat ticks in the loop of the weave; how long it missed is what is judged. Limits are
generous: a busy machine is no shortfall.
"""

from __future__ import annotations

import asyncio

from wove_http_dev.conformance.case import MUST, SHOULD, Family, NotApplicable
from wove_http_dev.conformance.executor import sources, tasks
from wove_http_dev.conformance.executor.cancelling import GIVEN_UP, NONE_ARRIVED, given_up
from wove_http_dev.conformance.executor.cases.cancel.cancel import MANY
from wove_http_dev.conformance.executor.cases.time.timeouts import Heartbeat
from wove_http_dev.conformance.executor.context import (
    PATIENCE,
    CaseContext,
    attempt,
    until_in_loop,
)
from wove_http_dev.conformance.executor.weaving import Remote
from wove_http_dev.faults.run import SlowCancel, SlowResponse

loop = Family("time")
STALL = 1.2
"""Seconds that something takes which must not happen in the event loop."""
BLOCKED = 0.6
"""Seconds without a tick that are told as a loop that was blocked."""
BIG = 20 * 10**6
QUIET = 0.4
"""Seconds in which all runs that an executor sends at once arrive."""


@loop.case(
    "08",
    "loop-while-stalling",
    MUST,
    sources.LOOP,
    sent=f"a run that the worker answers after {STALL:g} s; a heartbeat ticks in the weave's loop",
    expected=f"a tick at least every {BLOCKED:g} s",
)
def loop_while_stalling(check: CaseContext) -> str:
    """The event loop goes on while the worker lets the executor wait."""
    worker = check.worker()
    worker.inject(SlowResponse(delay=STALL))

    async def script(remote: Remote) -> float:
        async with Heartbeat() as heartbeat:
            await attempt(remote("task"))
        return heartbeat.longest

    longest = check.script(worker, script)
    if longest > BLOCKED:
        check.fail(f"the event loop was blocked for {longest:.2f} s while the worker stalled")
    return f"longest gap {longest:.3f} s"


@loop.case(
    "13",
    "loop-while-cancelling",
    MUST,
    sources.LOOP,
    sent=f"a run that is given up, and whose cancel_task the worker answers after {STALL:g} s; a"
    " heartbeat ticks in the weave's loop",
    expected=f"a tick at least every {BLOCKED:g} s",
)
def loop_while_cancelling(check: CaseContext) -> str:
    """The event loop goes on while a cancel_task is under way."""
    worker = check.worker()
    worker.hold(GIVEN_UP)
    worker.inject(SlowCancel(delay=STALL))

    async def script(remote: Remote) -> float:
        async with Heartbeat() as heartbeat:
            if await given_up(worker, remote) is None:
                raise NotApplicable(NONE_ARRIVED)
            # A loop that was blocked until the answer comes here only then, late already.
            await asyncio.sleep(BLOCKED + 0.1)
        return heartbeat.longest

    longest = check.script(worker, script)
    if longest > BLOCKED:
        check.fail(
            f"the event loop was blocked for {longest:.2f} s while a cancel_task was not answered"
        )
    return f"longest gap {longest:.3f} s"


@loop.case(
    "09",
    "loop-while-unpickling",
    SHOULD,
    sources.LOOP,
    sent=f"a run whose result takes {STALL:g} s to unpickle; a heartbeat ticks in the weave's loop",
    expected=f"a tick at least every {BLOCKED:g} s",
)
def loop_while_unpickling(check: CaseContext) -> str:
    """A result is unpickled elsewhere than in the event loop."""
    worker = check.worker()
    worker.stub("merge:task", result=tasks.SlowToLoad(STALL))

    async def script(remote: Remote) -> float:
        async with Heartbeat() as heartbeat:
            await attempt(remote("task"))
        return heartbeat.longest

    longest = check.script(worker, script)
    if longest > BLOCKED:
        check.fail(f"the event loop was blocked for {longest:.2f} s while a result was unpickled")
    return f"longest gap {longest:.3f} s"


@loop.case(
    "10",
    "loop-while-reading",
    SHOULD,
    sources.LOOP,
    sent=f"a run with a result of {BIG // 10**6} MB; a heartbeat ticks in the weave's loop",
    expected="the result, and a tick at least every 2 s",
)
def loop_while_reading(check: CaseContext) -> str:
    """The event loop goes on while a large result arrives."""
    worker = check.worker()
    worker.stub("merge:task", result="x" * BIG)

    async def script(remote: Remote) -> float:
        async with Heartbeat() as heartbeat:
            told = await attempt(remote("task", delivery_timeout=15.0))
        if told.kind != "result" or len(told.value) != BIG:
            check.fail(f"a result of {BIG // 10**6} MB came to {told}")
        return heartbeat.longest

    longest = check.script(worker, script, within=20.0)
    if longest > 2.0:
        check.fail(f"the event loop was blocked for {longest:.2f} s by a large result")
    return f"longest gap {longest:.3f} s"


@loop.case(
    "11",
    "default-pool-left-free",
    SHOULD,
    sources.POOL,
    sent=f"{MANY} runs that the worker does not answer; the application calls asyncio.to_thread",
    expected="its call is served within a second",
)
def default_pool_left_free(check: CaseContext) -> str:
    """Runs that wait do not use up the threads of the application's default pool."""
    worker = check.worker()
    gate = worker.hold("merge:held")

    async def script(remote: Remote) -> bool:
        runs = [asyncio.ensure_future(attempt(remote("held"))) for _ in range(MANY)]
        await until_in_loop(lambda: bool(gate.runs), PATIENCE)
        await until_in_loop(lambda: len(gate.runs) >= MANY, QUIET)
        call = asyncio.ensure_future(asyncio.to_thread(int))
        done, _ = await asyncio.wait([call], timeout=1.0)
        gate.release()
        for run in runs:
            run.cancel()
        call.cancel()
        return bool(done)

    if not check.script(worker, script):
        check.fail(
            f"{MANY} runs that waited for the worker starved the default thread pool: an"
            " application's own asyncio.to_thread was not served for a second"
        )
    return "served"
