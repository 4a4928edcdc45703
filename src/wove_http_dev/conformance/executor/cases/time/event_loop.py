"""Cases about the event loop and its default thread pool: both belong to the application, so an
executor must not block them.

A coroutine in the weave's event loop notes the time again and again, which shows how long the loop
was blocked. The limits are generous, because the machine may be busy.
"""

from __future__ import annotations

import asyncio
import time

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import ABANDONED, NO_CANCEL, abandon_run
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import (
    PATIENCE,
    POOL_OVERFLOW,
    CaseContext,
    attempt,
    wait_until_async,
)
from wove_http_dev.conformance.executor.pickles import SlowPickle
from wove_http_dev.faults.run import SlowCancel, SlowResponse

STALL = 1.2
"""Seconds that a slow operation takes, during which the event loop must keep running."""
BLOCKED = 0.6
"""The event loop counts as blocked if nothing else can run in it for this many seconds."""
BIG = 20 * 10**6
QUIET = 0.4
"""Seconds within which all runs that an executor sends at once arrive."""


class Heartbeat:
    """Wakes up regularly in the event loop and keeps, in ``longest``, the longest time in seconds
    between two wake-ups."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Heartbeat:
        self._task = asyncio.ensure_future(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0.02)  # one more tick, which notices a block just before the end
        self._task.cancel()

    async def _beat(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now


@family.must(
    "08",
    sources.LOOP,
    scenario=f"a run that the worker answers after {STALL:g} s; a heartbeat ticks in the weave's"
    " loop",
    expected=f"a tick at least every {BLOCKED:g} s",
)
def loop_while_stalling(check: CaseContext) -> str:
    """The event loop keeps running while the executor waits for the worker."""
    worker = check.worker()
    worker.inject(SlowResponse(delay=STALL))

    async def script(remote: Remote) -> float:
        async with Heartbeat() as heartbeat:
            await attempt(remote("task"))
        return heartbeat.longest

    longest = check.run_script(worker, script)
    if longest > BLOCKED:
        check.fail(f"the event loop was blocked for {longest:.2f} s while the worker stalled")
    return f"longest gap {longest:.3f} s"


@family.must(
    "13",
    sources.LOOP,
    scenario=f"a run that is abandoned, and whose cancel_task the worker answers after {STALL:g} s;"
    " a heartbeat ticks in the weave's loop",
    expected=f"a tick at least every {BLOCKED:g} s",
)
def loop_while_cancelling(check: CaseContext) -> str:
    """The event loop keeps running while a cancel_task is not answered."""
    worker = check.worker()
    worker.hold(ABANDONED)
    worker.inject(SlowCancel(delay=STALL))

    async def script(remote: Remote) -> float:
        async with Heartbeat() as heartbeat:
            if await abandon_run(worker, remote) is None:
                raise NotApplicable(NO_CANCEL)
            # A blocked loop gets here only after the answer, and then the longest gap is too long.
            await asyncio.sleep(BLOCKED + 0.1)
        return heartbeat.longest

    longest = check.run_script(worker, script)
    if longest > BLOCKED:
        check.fail(
            f"the event loop was blocked for {longest:.2f} s while a cancel_task was not answered"
        )
    return f"longest gap {longest:.3f} s"


@family.should(
    "09",
    sources.LOOP,
    scenario=f"a run whose result takes {STALL:g} s to unpickle; a heartbeat ticks in the weave's"
    " loop",
    expected=f"a tick at least every {BLOCKED:g} s",
)
def loop_while_unpickling(check: CaseContext) -> str:
    """A result is not unpickled in the event loop."""
    worker = check.worker()
    worker.stub("merge:task", result=SlowPickle(STALL))

    async def script(remote: Remote) -> float:
        async with Heartbeat() as heartbeat:
            await attempt(remote("task"))
        return heartbeat.longest

    longest = check.run_script(worker, script)
    if longest > BLOCKED:
        check.fail(f"the event loop was blocked for {longest:.2f} s while a result was unpickled")
    return f"longest gap {longest:.3f} s"


@family.should(
    "10",
    sources.LOOP,
    scenario=f"a run with a result of {BIG // 10**6} MB; a heartbeat ticks in the weave's loop",
    expected="the result, and a tick at least every 2 s",
)
def loop_while_reading(check: CaseContext) -> str:
    """The event loop keeps running while a large result arrives."""
    worker = check.worker()
    worker.stub("merge:task", result="x" * BIG)

    async def script(remote: Remote) -> float:
        async with Heartbeat() as heartbeat:
            outcome = await attempt(remote("task", delivery_timeout=15.0))
        if outcome.kind != "result" or len(outcome.value) != BIG:
            check.fail(f"instead of a result of {BIG // 10**6} MB the run ended with {outcome}")
        return heartbeat.longest

    longest = check.run_script(worker, script, within=20.0)
    if longest > 2.0:
        check.fail(f"the event loop was blocked for {longest:.2f} s by a large result")
    return f"longest gap {longest:.3f} s"


@family.should(
    "11",
    sources.POOL,
    scenario=f"{POOL_OVERFLOW} runs that the worker does not answer; the application calls"
    " asyncio.to_thread",
    expected="the call runs within a second",
)
def default_pool_left_free(check: CaseContext) -> str:
    """Waiting runs do not use up the threads of the application's default pool."""
    worker = check.worker()
    gate = worker.hold("merge:held")

    async def script(remote: Remote) -> bool:
        runs = [asyncio.ensure_future(attempt(remote("held"))) for _ in range(POOL_OVERFLOW)]
        await wait_until_async(lambda: bool(gate.runs), PATIENCE)
        await wait_until_async(lambda: len(gate.runs) >= POOL_OVERFLOW, QUIET)
        call = asyncio.ensure_future(asyncio.to_thread(int))
        done, _ = await asyncio.wait([call], timeout=1.0)
        gate.release()
        for run in runs:
            run.cancel()
        call.cancel()
        return bool(done)

    if not check.run_script(worker, script):
        check.fail(
            f"{POOL_OVERFLOW} runs that waited for the worker used up the default thread pool: the"
            " application's asyncio.to_thread call did not run within a second"
        )
    return "the call ran"
