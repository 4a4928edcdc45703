"""Cases about the end of an executor: neither ``stop()`` nor the weave waits for runs whose outcome
nothing needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import MARGIN, PATIENCE, CaseContext
from wove_http_dev.conformance.executor.direct_session import DirectSession
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.waits import wait_until, wait_until_async
from wove_http_dev.faults.run import Hang, SlowCancel
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

TIMEOUT = 60.0
"""Seconds of the executor's timeout; no case waits that long."""


@family.must(
    "23",
    sources.EXECUTOR,
    scenario="an executor that is driven without Wove's runtime, and stopped with a run in flight,"
    " another one that was given up, and a cancel_task, none of which the worker answers; the"
    f" executor's timeout {TIMEOUT:g} s",
    expected=f"the return of stop() within {MARGIN:g} s",
)
def stop_at_once(check: CaseContext) -> str:
    """stop() does not wait for runs that are still in flight."""
    worker = check.worker(timeout=TIMEOUT)
    gate = worker.hold()
    worker.inject(SlowCancel(delay=TIMEOUT))

    async def script(_: Remote) -> bool:
        async with DirectSession(check, worker) as session:
            given_up, _open = await session.run("given_up"), await session.run("open")
            if not await wait_until_async(lambda: len(gate.runs) == 2, check.seconds(PATIENCE)):
                check.fail(f"{len(gate.runs)} of 2 runs arrived", late=True)
            await session.cancel(given_up, "a run was given up")
            cancelled = await wait_until_async(
                lambda: bool(frames_of(worker, "cancel_task")), check.seconds(PATIENCE)
            )
            limit = check.seconds(MARGIN)
            if not await session.stop(limit):
                check.fail(
                    f"stop() had not returned after {limit:.1f} s: it waits for runs"
                    " that the worker does not answer, one of which was given up",
                    late=True,
                )
            return cancelled

    cancelled = check.run_script(worker, script, within=2 * PATIENCE)
    return "at once" if cancelled else "at once; no cancel_task arrived"


@family.should(
    "24",
    sources.EXECUTOR,
    scenario="an executor that is driven without Wove's runtime, and stopped twice",
    expected="the return of both calls of stop(), without an exception",
)
def stopped_twice(check: CaseContext) -> str:
    """A second stop() does nothing."""
    worker = check.worker()

    async def script(_: Remote) -> None:
        async with DirectSession(check, worker) as session:
            run_id = await session.run("task", "the result")
            await session.expect_result(run_id, "the result", "an executor was started")
            limit = check.seconds(MARGIN)
            for which in ("first", "second"):
                try:
                    stopped = await session.stop(limit)
                except Exception as exc:
                    check.fail(f"the {which} stop() raised {type(exc).__name__}: {exc}")
                if not stopped:
                    check.fail(
                        f"the {which} stop() had not returned after {limit:.1f} s", late=True
                    )

    check.run_script(worker, script)
    return "nothing raised"


@family.must(
    "25",
    sources.EXECUTOR,
    scenario="a weave of two tasks, one of which fails while the worker does not answer the other"
    " one; and a weave that is cancelled, as by its application, while the worker does not answer;"
    f" the executor's timeout {TIMEOUT:g} s, no delivery_timeout",
    expected=f"the end of both weaves within {MARGIN:g} s",
)
def ended_early(check: CaseContext) -> str:
    """A weave that ends early, because a task failed or because it was cancelled, does not wait for
    its other runs."""
    worker = check.worker(timeout=TIMEOUT)
    worker.inject(Hang(), task="silent_*")
    worker.stub("fails", error=ValueError("boom"))
    gate = worker.hold("fails")

    def failing(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def silent_beside() -> None:
            """Do nothing."""

        @w.do(environment=environment)
        def fails() -> None:
            """Do nothing."""

    def alone(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def silent_alone() -> None:
            """Do nothing."""

    weaves = {
        "one of whose tasks failed": check.weave(worker, failing),
        "that was cancelled": check.weave(worker, alone),
    }
    if not wait_until(lambda: _arrived(worker) == 3, check.seconds(PATIENCE)):
        check.fail(f"{_arrived(worker)} of 3 runs of two weaves arrived", late=True)
    gate.release()
    check.last_weave.cancel(0.0)
    limit = check.seconds(MARGIN)
    wait_until(lambda: all(weave.ended for weave in weaves.values()), limit)
    for which, weave in weaves.items():
        if not weave.ended:
            check.fail(
                f"a weave {which} had not ended {limit:.1f} s later: it waits for a run that the"
                " worker does not answer",
                late=True,
            )
    return "both ended"


def _arrived(worker: HttpWorker) -> int:
    return len(frames_of(worker, "run_task"))
