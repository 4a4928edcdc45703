"""Cases about the event loop and its default thread pool: both belong to the application, so an
executor must not block them.

While an executor waits, another thread calls a function in the weave's event loop: it is called at
once unless the loop is blocked. Where the executor computes instead of waiting, a coroutine in the
loop notes the time again and again. The limits are generous, because the machine may be busy.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import ABANDONED, NO_CANCEL, abandon_run
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import (
    DELIVERY_TIMEOUT,
    PATIENCE,
    POOL_OVERFLOW,
    CaseContext,
)
from wove_http_dev.conformance.executor.pickles import HeldPickle, HeldPickling
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.waits import (
    POLL,
    attempt,
    wait_until,
    wait_until_async,
    watch_async,
)
from wove_http_dev.faults.run import SlowCancel
from wove_http_dev.weave_outcome import WeaveOutcome

BLOCKED = 2.0
"""The event loop counts as blocked if nothing else can run in it for this many seconds, or more on
a busy machine."""
EXPECTED = f"the call is made within {BLOCKED:g} s"
BIG = 20 * 10**6
WATCHED = 0.5
"""Seconds in which the calls in the event loop are counted."""
BUSY = 500
"""A number of calls: an executor that waits makes fewer, and one that asks again and again makes
ten times as many in this time, even on a busy machine."""
QUIET = 0.4
"""Seconds to wait for runs beyond those that an executor sends at once."""


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


async def _runs_meanwhile(
    check: CaseContext,
    operation: Awaitable[object],
    begun: Callable[[], bool],
    release: Callable[[], None],
) -> bool | None:
    """Await ``operation``, which goes on until ``release`` is called. Once ``begun`` returns true,
    another thread calls a function in the event loop, waits for it, and then releases the
    operation. Return whether the function ran in time; ``None`` if nothing had begun."""
    loop, turned, over = asyncio.get_running_loop(), threading.Event(), threading.Event()
    ran: list[bool] = []

    def probe() -> None:
        wait_until(lambda: begun() or over.is_set(), check.seconds(PATIENCE))
        if begun():
            loop.call_soon_threadsafe(turned.set)
            ran.append(turned.wait(check.seconds(BLOCKED)))
        release()

    thread = threading.Thread(target=probe, name="conformance-loop-probe", daemon=True)
    thread.start()
    await operation
    over.set()
    while thread.is_alive():
        await asyncio.sleep(POLL)
    return ran[0] if ran else None


def _expect_free(check: CaseContext, ran: bool | None, when: str) -> str:
    """Fail the case if ``ran``, a result of :func:`_runs_meanwhile`, is false; ``when`` says during
    what. The case is skipped if that did not happen."""
    if ran is None:
        raise NotApplicable(f"the event loop could not be watched {when}: that did not happen")
    if not ran:
        limit = check.seconds(BLOCKED)
        check.fail(f"the event loop was blocked for more than {limit:.2f} s {when}", late=True)
    return "not blocked"


@family.must(
    "08",
    sources.LOOP,
    scenario="a run that the worker does not answer until the weave's loop has called a function",
    expected=EXPECTED,
    alone=True,
)
def loop_while_stalling(check: CaseContext) -> str:
    """The event loop keeps running while the executor waits for the worker."""
    worker = check.worker()
    gate = worker.hold("merge:task")

    async def script(remote: Remote) -> bool | None:
        run = attempt(remote("task"))
        return await _runs_meanwhile(check, run, lambda: bool(gate.runs), gate.release)

    return _expect_free(check, check.run_script(worker, script), "while the worker stalled")


@family.must(
    "13",
    sources.LOOP,
    scenario="a run that is abandoned, and whose cancel_task the worker does not answer until the"
    " weave's loop has called a function",
    expected=EXPECTED,
    alone=True,
)
def loop_while_cancelling(check: CaseContext) -> str:
    """The event loop keeps running while a cancel_task is not answered."""
    worker = check.worker()
    worker.hold(ABANDONED)
    unanswered = worker.inject(SlowCancel(delay=60.0))

    async def script(remote: Remote) -> bool | None:
        return await _runs_meanwhile(
            check,
            abandon_run(check, worker, remote),
            lambda: bool(frames_of(worker, "cancel_task")),
            unanswered.remove,
        )

    ran = check.run_script(worker, script)
    if ran is None:
        raise NotApplicable(NO_CANCEL, needs=["cancel.01"])
    return _expect_free(check, ran, "while a cancel_task was not answered")


@family.should(
    "09",
    sources.LOOP,
    scenario="a run whose result is not unpickled completely until the weave's loop has called a"
    " function",
    expected=EXPECTED,
    alone=True,
)
def loop_while_unpickling(check: CaseContext) -> str:
    """A result is not unpickled in the event loop."""
    worker, held = check.worker(), HeldPickle()
    worker.stub("merge:task", result=held)

    async def script(remote: Remote) -> bool | None:
        run = attempt(remote("task", delivery_timeout=check.seconds(DELIVERY_TIMEOUT)))
        return await _runs_meanwhile(check, run, held.loading.is_set, held.released.set)

    return _expect_free(check, check.run_script(worker, script), "while a result was unpickled")


@family.should(
    "10",
    sources.LOOP,
    scenario=f"a run with a result of {BIG // 10**6} MB; a heartbeat ticks in the weave's loop",
    expected=f"the result, and a tick at least every {BLOCKED:g} s",
    alone=True,
)
def loop_while_reading(check: CaseContext) -> str:
    """The event loop keeps running while a large result arrives."""
    worker = check.worker()
    worker.stub("merge:task", result="x" * BIG)

    async def script(remote: Remote) -> float:
        async with Heartbeat() as heartbeat:
            outcome = await attempt(remote("task", delivery_timeout=check.seconds(15.0)))
        if outcome.kind != "result" or len(outcome.value) != BIG:
            what = f"instead of a result of {BIG // 10**6} MB the run ended with {outcome}"
            check.fail(what)
        return heartbeat.longest

    longest = check.run_script(worker, script, within=20.0)
    if longest > check.seconds(BLOCKED):
        check.fail(f"the event loop was blocked for {longest:.2f} s by a large result", late=True)
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
    worker = check.quick_worker()
    gate = worker.hold("merge:held")

    async def script(remote: Remote) -> bool:
        runs = [asyncio.ensure_future(attempt(remote("held"))) for _ in range(POOL_OVERFLOW)]
        await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE))
        await watch_async(lambda: len(gate.runs) >= POOL_OVERFLOW, check.silence(QUIET))
        call = asyncio.ensure_future(asyncio.to_thread(int))
        done, _ = await asyncio.wait([call], timeout=check.seconds(1.0))
        gate.release()
        for run in runs:
            run.cancel()
        call.cancel()
        return bool(done)

    if not check.run_script(worker, script):
        check.fail(
            f"{POOL_OVERFLOW} runs that waited for the worker used up the default thread pool: the"
            " application's asyncio.to_thread call did not run in time",
            late=True,
        )
    return "the call ran"


@family.should(
    "20",
    sources.EXECUTOR,
    scenario="a run whose result is not unpickled completely until another run has its result",
    expected=f"the other result within {BLOCKED:g} s",
    alone=True,
)
def others_while_unpickling(check: CaseContext) -> str:
    """A result that takes long to unpickle does not hold up other runs."""
    worker, held = check.worker(), HeldPickle()
    worker.stub("merge:slow", result=held)
    limit = check.seconds(BLOCKED)

    def release() -> None:
        if held.loading.wait(check.seconds(PATIENCE)):
            held.released.wait(limit)
        held.released.set()

    threading.Thread(target=release, name="conformance-release", daemon=True).start()

    async def script(remote: Remote) -> tuple[bool, WeaveOutcome]:
        slow = asyncio.ensure_future(attempt(remote("slow")))
        await wait_until_async(held.loading.is_set, check.seconds(PATIENCE))
        other = await attempt(remote("other", "other", delivery_timeout=limit))
        in_time = not held.released.is_set()
        held.released.set()
        await slow
        return in_time, other

    in_time, other = check.run_script(worker, script, planned=limit)
    if not held.loading.is_set():
        raise NotApplicable("the result of a run was never unpickled")
    if not in_time or other.value != "other":
        check.fail(
            f"while the result of one run was unpickled, for {limit:.1f} s, another run did not"
            f" have its result; then: {other}",
            late=True,
        )
    return str(other)


@family.should(
    "31",
    sources.LOOP,
    scenario="a run whose argument is not pickled completely until the weave's loop has called a"
    " function",
    expected=EXPECTED,
    alone=True,
)
def loop_while_pickling(check: CaseContext) -> str:
    """Arguments are not pickled in the event loop."""
    worker, held = check.worker(), HeldPickling()

    async def script(remote: Remote) -> bool | None:
        run = attempt(remote("task", held))
        return await _runs_meanwhile(check, run, held.pickling.is_set, held.released.set)

    return _expect_free(check, check.run_script(worker, script), "while an argument was pickled")


@family.should(
    "32",
    sources.LOOP,
    scenario="a run that the worker does not answer yet",
    expected=f"fewer than {BUSY} calls in the event loop in {WATCHED:g} s",
    alone=True,
)
def loop_while_waiting(check: CaseContext) -> str:
    """An executor that waits for an answer leaves the processor to others."""
    worker, seconds = check.worker(), check.silence(WATCHED)
    gate = worker.hold("merge:task")

    async def script(remote: Remote) -> int:
        run = asyncio.ensure_future(attempt(remote("task")))
        await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE))
        loop: Any = asyncio.get_running_loop()
        counted, calls = loop.call_soon, itertools.count()

        def call_soon(*given: Any, **named: Any) -> Any:
            next(calls)
            return counted(*given, **named)

        loop.call_soon = call_soon
        try:
            await asyncio.sleep(seconds)
        finally:
            del loop.call_soon
            gate.release()
        await run
        return next(calls)

    calls: int = check.run_script(worker, script, planned=seconds)
    # An executor that looks for events from time to time does so more often in a longer time.
    if calls >= BUSY * max(1.0, seconds / WATCHED):
        check.fail(
            f"while a run waited for its answer, the event loop called functions {calls} times in"
            f" {seconds:.1f} s: the executor does not wait, but asks again and again"
        )
    return f"{calls} calls"
