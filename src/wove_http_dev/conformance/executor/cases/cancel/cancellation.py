"""Cases about cancel_task: when Wove gives up a run, the executor tells the worker to cancel it,
and other runs are not affected.

The worker holds these runs, so that none can finish before its delivery_timeout ends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import (
    ABANDONED,
    CANCEL_WITHIN,
    NO_CANCEL,
    abandon_run,
    cancels_of,
    wait_for_answer,
)
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.cancel import family
from wove_http_dev.conformance.executor.context import PATIENCE, POOL_OVERFLOW, CaseContext
from wove_http_dev.conformance.executor.received import frames_of, headers_of, requests_of
from wove_http_dev.conformance.executor.refusals import refusal
from wove_http_dev.conformance.executor.waits import (
    attempt,
    wait_until,
    wait_until_async,
    watch_async,
)
from wove_http_dev.faults.run import LostResponse
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.weave_outcome import WeaveOutcome
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

STRAY = 0.5
"""Seconds to wait for a frame that should never arrive."""
REPEATS = 5
ABANDON_ALL = 0.6
"""Seconds of the ``delivery_timeout`` of many runs at once."""


@family.must(
    "01",
    sources.PROTOCOL,
    scenario=f"a run in flight whose delivery_timeout ends, {REPEATS} times in one weave",
    expected=f"one cancel_task for it within {CANCEL_WITHIN:g} s, {REPEATS} times of {REPEATS}",
)
def sent(check: CaseContext) -> str:
    """A run that is executing when its delivery_timeout ends is cancelled, once."""
    worker = check.worker()
    worker.hold(ABANDONED)

    async def script(remote: Remote) -> int:
        for count in range(REPEATS):
            if await abandon_run(check, worker, remote) is None:
                return count
        return REPEATS

    count = check.run_script(worker, script, within=PATIENCE + REPEATS)
    if count < REPEATS:
        stray = len(frames_of(worker, "cancel_task")) - count
        other = f"; {stray} cancel_task arrived for something else" if stray > 0 else ""
        check.fail(
            f"cancel_task was not sent for run {count + 1} of {REPEATS} whose delivery_timeout"
            f" ended while they were in flight{other}",
            late=True,
        )
    _expect_once(check, worker, "whose delivery_timeout ended")
    return f"{count} of {REPEATS}"


@family.must(
    "02",
    sources.PROTOCOL,
    scenario="two runs in flight; the delivery_timeout of one ends",
    expected="one cancel_task, for that run; the other run has its result",
)
def only_its_own_run(check: CaseContext) -> str:
    """A cancel_task names only the run that was abandoned."""
    worker = check.worker()
    worker.hold(ABANDONED)
    gate = worker.hold("merge:other")

    async def script(remote: Remote) -> str:
        other = asyncio.ensure_future(remote("other", "of the other run"))
        await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE))
        cancel = await abandon_run(check, worker, remote)
        stray = check.silence(STRAY)
        await watch_async(lambda: bool(cancels_of(worker, gate.runs[0].run_id)), stray)
        gate.release()
        outcome = await attempt(other)
        if outcome.value != "of the other run":
            check.fail(
                f"one run was abandoned, and the outcome of another one in flight is {outcome}",
            )
        if cancel is None:
            check.fail("no cancel_task arrived for the run that was abandoned", late=True)
        return str(outcome)

    actual = str(check.run_script(worker, script))
    if cancels_of(worker, gate.runs[0].run_id):
        check.fail("a cancel_task was sent for a run that was not abandoned")
    return actual


@family.must(
    "03",
    sources.RUNTIME,
    scenario="runs with delivery_cancel_mode best_effort and require_ack whose delivery_timeout"
    " ends",
    expected="each cancel_task carries its mode: only the second is answered with task_cancelled",
)
def mode(check: CaseContext) -> str:
    """A cancel_task carries the delivery_cancel_mode of its run."""
    worker = check.worker()
    worker.hold(ABANDONED)

    async def script(remote: Remote) -> str:
        for wanted, answer in (("best_effort", []), ("require_ack", ["task_cancelled"])):
            cancel = await abandon_run(check, worker, remote, delivery_cancel_mode=wanted)
            if cancel is None:
                check.fail(f"no cancel_task arrived for a run with {wanted}", late=True)
            await wait_for_answer(cancel, check.seconds(PATIENCE))
            if cancel.refusal:
                check.fail(
                    f"the cancel_task of a run with {wanted} was refused with {cancel.status}, so"
                    f" its mode had no effect: {refusal(cancel)}"
                )
            if cancel.events != answer:
                check.fail(
                    f"the cancel_task of a run with {wanted} did not carry that mode: it was"
                    f" answered with {cancel.events or 'an empty body'}"
                )
        return "both modes arrived"

    return str(check.run_script(worker, script))


@family.must(
    "04",
    sources.PROTOCOL,
    scenario=f"{POOL_OVERFLOW} runs at once whose delivery_timeout ends, and the weave with them;"
    f" {POOL_OVERFLOW} runs of a weave that is cancelled, as by Ctrl-C or by its application",
    expected="one cancel_task for each run that is in flight",
)
def all_at_the_end(check: CaseContext) -> str:
    """Every executing run is cancelled, even if there are many and the weave ends at the same
    time."""
    return f"{_all_cancelled(check, ABANDON_ALL)}; {_all_cancelled(check, None)}"


def _all_cancelled(check: CaseContext, delivery_timeout: float | None) -> str:
    """Start a weave of many runs, and end it by ``delivery_timeout``, or cancel it if that is
    ``None``. Raises :class:`CaseFailed` unless each run that arrived is cancelled."""
    worker = check.quick_worker()
    worker.hold("abandoned")

    def define(w: Weave, environment: str) -> None:
        @w.do(range(POOL_OVERFLOW), environment=environment, delivery_timeout=delivery_timeout)
        def abandoned(item: int) -> int:
            return item

    def uncancelled() -> set[str]:
        cancelled = {frame.run_id for frame in frames_of(worker, "cancel_task")}
        return {run.run_id for run in worker.journal.runs} - cancelled

    weave = check.weave(worker, define)
    wanted = POOL_OVERFLOW if delivery_timeout is None else 1
    wait_until(lambda: len(worker.journal.runs) >= wanted, check.seconds(PATIENCE))
    if delivery_timeout is None:
        weave.cancel(0.0)
    wait_until(
        lambda: bool(frames_of(worker, "cancel_task")) and not uncancelled(),
        (delivery_timeout or 0.0) + check.seconds(CANCEL_WITHIN),
    )
    arrived, left = len(worker.journal.runs), len(uncancelled())
    if not arrived:
        check.fail(f"no run arrived: {weave.outcome('abandoned') if weave.ended else 'a hang'}")
    when = "at the end of the weave" if delivery_timeout else "of a weave that was cancelled"
    if left:
        check.fail(
            f"{left} of {arrived} runs in flight {when} got no cancel_task: they keep running, and"
            " nothing waits for them",
            late=True,
        )
    _expect_once(check, worker, f"in flight {when}")
    return f"{arrived} runs, all cancelled"


def _expect_once(check: CaseContext, worker: HttpWorker, which: str) -> None:
    for run in worker.journal.runs:
        cancels = cancels_of(worker, run.run_id)
        if len(cancels) > 1:
            check.fail(f"{len(cancels)} cancel_tasks were sent for a run {which}")


@family.must(
    "08",
    sources.PROTOCOL,
    scenario="a run whose delivery_timeout ends; the configured URL has a query",
    expected="a cancel_task POSTed as JSON to that URL, its query included",
)
def to_the_same_url(check: CaseContext) -> str:
    """A cancel_task is sent to the URL of the run_task, with the same method and content type."""
    worker = check.worker()
    worker.hold(ABANDONED)
    url = f"{worker.url}?tenant=a%20b"
    target = url.partition(f":{worker.port}")[2]

    async def script(remote: Remote) -> Exchange | None:
        return await abandon_run(check, worker, remote)

    cancel: Exchange | None = check.run_script(worker, script, settings={"url": url})
    if cancel is None:
        for exchange in requests_of(worker):
            if exchange.target != target:
                check.fail(
                    f"no cancel_task arrived at {target!r}, but a {exchange.method} to"
                    f" {exchange.target!r} did"
                )
        raise NotApplicable(NO_CANCEL, needs=["cancel.01"])
    for exchange in [*frames_of(worker, "run_task"), cancel]:
        content = headers_of(exchange).get("Content-Type") or ""
        actual = (exchange.method, exchange.target, content.partition(";")[0])
        expected = ("POST", target, "application/json")
        for found, wanted in zip(actual, expected, strict=True):
            if found.lower() != wanted.lower():
                check.fail(f"a {exchange.frame_type} was sent with {found!r} instead of {wanted!r}")
    return f"{cancel.method} {cancel.target}"


@family.must(
    "09",
    sources.PROTOCOL,
    scenario="a run with a result, one that fails, and one whose answer is lost",
    expected="no cancel_task",
)
def not_for_what_ended(check: CaseContext) -> str:
    """A cancel_task is sent only when Wove asks for it, so never for a run that has ended."""
    worker = check.worker()
    worker.stub("merge:fails", error=ValueError("boom"))
    worker.inject(LostResponse(), task="merge:lost")

    async def script(remote: Remote) -> None:
        for name in ("works", "fails", "lost"):
            await attempt(remote(name, delivery_timeout=check.seconds(5.0)))
        await watch_async(lambda: bool(frames_of(worker, "cancel_task")), check.silence(STRAY))

    check.run_script(worker, script)
    for exchange in frames_of(worker, "cancel_task"):
        check.fail(f"a cancel_task was sent for {exchange.task_id!r}, which had ended by itself")
    return "none"


@family.must(
    "10",
    sources.PROTOCOL,
    scenario="a sync and an async task in flight, and another one; the coroutines that wait for the"
    " first two are cancelled, and the weave continues",
    expected="one cancel_task for each of the two; the other run has its result",
)
def waiting_cancelled(check: CaseContext) -> str:
    """A run whose waiting coroutine is cancelled, as by asyncio.timeout(), is cancelled, once."""
    worker = check.worker()
    gate = worker.hold()

    def sync_task() -> None:
        """Do nothing."""

    async def async_task() -> None:
        """Do nothing."""

    def uncancelled() -> list[Run]:
        given_up = [run for run in worker.journal.runs if "other" not in run.task_id]
        return [run for run in given_up if not cancels_of(worker, run.run_id)]

    async def script(remote: Remote) -> WeaveOutcome:
        other = asyncio.ensure_future(attempt(remote("other", "of the other run")))
        runs = [asyncio.ensure_future(remote(task)) for task in (sync_task, async_task)]
        if not await wait_until_async(lambda: len(gate.runs) == 3, check.seconds(PATIENCE)):
            check.fail(f"{len(gate.runs)} of 3 runs arrived", late=True)
        for run in runs:
            run.cancel()
        await wait_until_async(lambda: not uncancelled(), check.seconds(CANCEL_WITHIN))
        gate.release()
        return await other

    other = check.run_script(worker, script)
    if uncancelled():
        check.fail(
            f"the coroutines that waited for 2 runs were cancelled, and {len(uncancelled())} of"
            " these runs got no cancel_task",
            late=True,
        )
    if other.value != "of the other run":
        check.fail(f"two runs were cancelled, and another one ended with {other}")
    check.last_weave.wait(check.seconds(CANCEL_WITHIN))  # whatever is sent at its end has been sent
    _expect_once(check, worker, "whose waiting coroutine was cancelled")
    return "two runs, one cancel_task each"
