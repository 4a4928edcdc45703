"""Cases about cancel_task: when Wove gives up a run, the executor tells the worker to cancel it,
and other runs are not affected.

The worker holds these runs, so that none can finish before its delivery_timeout ends.
"""

from __future__ import annotations

import asyncio
from functools import partial
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
from wove_http_dev.conformance.executor.context import (
    PATIENCE,
    POOL_OVERFLOW,
    CaseContext,
    attempt,
    wait_until,
    wait_until_async,
)
from wove_http_dev.conformance.executor.received import frames_of, headers_of
from wove_http_dev.conformance.executor.refusals import refusal
from wove_http_dev.faults import response, wire
from wove_http_dev.faults.run import LostResponse, SlowCancel
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.records import Exchange

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

STRAY = 0.5
"""Seconds to wait for a frame that should never arrive."""
REPEATS = 5
ABANDON_ALL = 0.6
"""Seconds of the ``delivery_timeout`` of many runs at once."""
ANSWERS = (
    response.Status(500),
    response.InvalidJson(),
    response.HtmlPage(),
    wire.CloseWithoutResponse(),
    response.Redirect(307),
)


def _arrived(gate: Gate) -> bool:
    return bool(gate.runs)


@family.must(
    "01",
    sources.PROTOCOL,
    scenario=f"a run in flight whose delivery_timeout ends, {REPEATS} times in one weave",
    expected=f"a cancel_task for it within {CANCEL_WITHIN:g} s, {REPEATS} times of {REPEATS}",
)
def sent(check: CaseContext) -> str:
    """A run that is executing when its delivery_timeout ends is cancelled."""
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
            f" ended while they were in flight{other}"
        )
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
        await wait_until_async(lambda: bool(cancels_of(worker, gate.runs[0].run_id)), stray)
        gate.release()
        outcome = await attempt(other)
        if outcome.value != "of the other run":
            check.fail(
                f"one run was abandoned, and the outcome of another one in flight is {outcome}"
            )
        if cancel is None:
            check.fail("no cancel_task arrived for the run that was abandoned")
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
                check.fail(f"no cancel_task arrived for a run with {wanted}")
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
    scenario=f"{POOL_OVERFLOW} runs at once whose delivery_timeout ends, and the weave with them",
    expected="a cancel_task for each run that is in flight",
)
def all_at_the_end(check: CaseContext) -> str:
    """Every executing run is cancelled, even if there are many and the weave ends at the same
    time."""
    worker = check.worker()
    worker.hold("abandoned")

    def define(w: Weave, environment: str) -> None:
        @w.do(range(POOL_OVERFLOW), environment=environment, delivery_timeout=ABANDON_ALL)
        def abandoned(item: int) -> int:
            return item

    def uncancelled() -> set[str]:
        cancelled = {frame.run_id for frame in frames_of(worker, "cancel_task")}
        return {run.run_id for run in worker.journal.runs} - cancelled

    weave = check.weave(worker, define)
    wait_until(lambda: len(worker.journal.runs) > 0, check.seconds(PATIENCE))
    wait_until(
        lambda: bool(frames_of(worker, "cancel_task")) and not uncancelled(),
        ABANDON_ALL + check.seconds(CANCEL_WITHIN),
    )
    arrived, left = len(worker.journal.runs), len(uncancelled())
    if not arrived:
        check.fail(f"no run arrived: {weave.outcome('abandoned') if weave.ended else 'a hang'}")
    if left:
        check.fail(
            f"{left} of {arrived} runs in flight at the end of the weave got no cancel_task: they"
            " keep running, and nothing waits for them"
        )
    return f"{arrived} runs, all cancelled"


@family.must(
    "05",
    sources.PROTOCOL,
    scenario=f"cancel_task frames answered with: {'; '.join(map(str, ANSWERS))}; another run is in"
    " flight",
    expected="that run and the next one have their results each time",
)
def answer_harmless(check: CaseContext) -> str:
    """The answer to a cancel_task, even an error, does not affect other runs."""
    worker = check.worker(timeout=check.seconds(4.0))
    worker.hold(ABANDONED)

    async def script(remote: Remote) -> str:
        for number, answer in enumerate(ANSWERS):
            gate = worker.hold(f"merge:beside_{number}")
            beside = asyncio.ensure_future(attempt(remote(f"beside_{number}", "beside")))
            await wait_until_async(partial(_arrived, gate), check.seconds(PATIENCE))
            with worker.inject(answer, command="cancel_task"):
                cancel = await abandon_run(check, worker, remote)
                if cancel is None:
                    check.fail("no cancel_task arrived")
                await wait_for_answer(cancel, check.seconds(PATIENCE))
                after = await attempt(
                    remote("after", "afterwards", delivery_timeout=check.seconds(5.0))
                )
            gate.release()
            other = await beside
            if other.value != "beside":
                check.fail(
                    f"a cancel_task was answered with {answer}, and another run, which was in"
                    f" flight, ended with {other}"
                )
            if after.value != "afterwards":
                check.fail(
                    f"a cancel_task was answered with {answer}; the next run ended with {after}"
                )
        return "the other runs were not affected"

    return str(check.run_script(worker, script, within=20.0))


@family.should(
    "06",
    sources.PROTOCOL,
    scenario="a best_effort cancel_task that the worker does not answer; then the weave's end",
    expected="the weave ends, without waiting for that answer",
)
def best_effort_not_awaited(check: CaseContext) -> str:
    """A weave does not wait for the answer to a best_effort cancel_task."""
    worker = check.worker()
    gate = worker.hold(ABANDONED)
    worker.inject(SlowCancel(delay=60.0))

    async def script(remote: Remote) -> None:
        if await abandon_run(check, worker, remote) is None:
            check.fail("no cancel_task arrived")
        gate.release()

    check.run_script(worker, script)
    limit = check.seconds(CANCEL_WITHIN)
    if not check.last_weave.wait(limit):
        check.fail(
            f"{limit:g} s after its last task the weave still waits for the answer to a"
            " best_effort cancel_task"
        )
    return "not awaited"


@family.should(
    "07",
    sources.RUNTIME,
    scenario="a run with require_ack and one retry, whose cancel_task the worker does not answer"
    " yet",
    expected="no second run_task before the cancel_task was answered",
)
def require_ack_before_retry(check: CaseContext) -> str:
    """With require_ack, a run is retried only after its cancellation has been acknowledged."""
    worker = check.worker()
    worker.hold(ABANDONED)
    worker.inject(SlowCancel(delay=60.0))
    options = {"retries": 1, "delivery_timeout": 0.2, "delivery_cancel_mode": "require_ack"}

    async def script(remote: Remote) -> str:
        run = asyncio.ensure_future(attempt(remote("abandoned", **options)))
        try:
            if not await wait_until_async(
                lambda: bool(frames_of(worker, "cancel_task")), check.seconds(CANCEL_WITHIN)
            ):
                check.fail("no cancel_task arrived")
            stray = check.silence(STRAY)
            if await wait_until_async(lambda: len(frames_of(worker, "run_task")) > 1, stray):
                refused = refusal(frames_of(worker, "cancel_task")[0])
                if refused:
                    check.fail(
                        "require_ack: the cancel_task for the first attempt was refused, but the"
                        f" task was sent again, so both may run: {refused}"
                    )
                check.fail(
                    "require_ack: the task was sent again while the cancel_task for its first"
                    " attempt had not been answered, so both may run"
                )
        finally:
            run.cancel()
        return "no second attempt before the answer"

    return str(check.run_script(worker, script))


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

    async def script(remote: Remote) -> Exchange | None:
        return await abandon_run(check, worker, remote)

    cancel: Exchange | None = check.run_script(worker, script, settings={"url": url})
    if cancel is None:
        raise NotApplicable(NO_CANCEL, needs=["cancel.01"])
    for exchange in [*frames_of(worker, "run_task"), cancel]:
        content = headers_of(exchange).get("Content-Type") or ""
        actual = (exchange.method, exchange.target, content.partition(";")[0])
        expected = ("POST", url.partition(f":{worker.port}")[2], "application/json")
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
        await wait_until_async(lambda: bool(frames_of(worker, "cancel_task")), check.silence(STRAY))

    check.run_script(worker, script)
    for exchange in frames_of(worker, "cancel_task"):
        check.fail(f"a cancel_task was sent for {exchange.task_id!r}, which had ended by itself")
    return "none"
