"""Cases about the answer to a cancel_task: whatever it is, and even if none comes, other runs are
not affected, and the weave ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import (
    ABANDONED,
    CANCEL_WITHIN,
    abandon_run,
)
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.cancel import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.refusals import refusal
from wove_http_dev.conformance.executor.waits import attempt, wait_until_async, watch_async
from wove_http_dev.faults import Fault, connection, response, wire
from wove_http_dev.faults.run import SlowCancel

STRAY = 0.5
"""Seconds to wait for a frame that should never arrive."""
GIVEN_UP = 0.15
"""Seconds of the ``delivery_timeout`` of a run that is given up."""
UNREACHABLE = (connection.RefuseConnections(), connection.UntrustedCa())
SENDING = 0.2
"""Seconds within which a cancel_task is sent on an idle machine."""
TOGETHER = 3
"""Runs that are given up at once. Each keeps a thread of an executor that uses Python's default
pool, which has at least five."""
ANSWERS = (
    *(response.Status(code) for code in (400, 401, 429, 500)),
    response.Status(503, retry_after=3600.0),
    response.InvalidJson(),
    response.InvalidUtf8(),
    response.HtmlPage(),
    response.Redirect(307),
    wire.CloseWithoutResponse(),
    wire.ResetBeforeResponse(),
    wire.ResetMidBody(),
    wire.TruncatedBody(),
    wire.GarbageStatusLine(),
    wire.BadChunk(),
)


@family.must(
    "05",
    sources.PROTOCOL,
    scenario=f"cancel_task frames answered with: {'; '.join(map(str, ANSWERS))}; another run is in"
    " flight",
    expected="that run and the next one have their results each time",
)
def answer_harmless(check: CaseContext) -> str:
    """The answer to a cancel_task, even an error, does not affect other runs."""
    for first in range(0, len(ANSWERS), TOGETHER):
        some = ANSWERS[first : first + TOGETHER]
        harm = _harm(check, some)
        if not harm:
            continue
        for answer in some:  # one after the other, to find out which one it was
            found = _harm(check, [answer])
            if found:
                check.fail(f"a cancel_task was answered with {answer}, and {found}")
        listed = ", ".join(map(str, some))
        check.fail(f"cancel_tasks were answered with {listed}, and {harm}")
    return "the other runs were not affected"


def _harm(check: CaseContext, answers: Sequence[Fault]) -> str:
    """Give up a run for each of ``answers``, which answer their cancel_tasks. Return what happened
    to other runs, or an empty string if nothing did."""
    worker = check.worker(timeout=check.seconds(4.0))
    worker.hold("merge:abandoned_*")
    gate = worker.hold("merge:beside")
    for number, answer in enumerate(answers):
        worker.inject(answer, task=f"merge:abandoned_{number}", command="cancel_task")

    async def script(remote: Remote) -> str:
        beside = asyncio.ensure_future(attempt(remote("beside", "beside")))
        await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE))
        for timeout in (GIVEN_UP, 4 * GIVEN_UP, 16 * GIVEN_UP):
            await asyncio.gather(
                *(
                    attempt(remote(f"abandoned_{number}", delivery_timeout=timeout))
                    for number in range(len(answers))
                )
            )
            if await wait_until_async(
                lambda: bool(frames_of(worker, "cancel_task")), check.seconds(CANCEL_WITHIN)
            ):
                break
        else:
            check.fail("no cancel_task arrived", late=True)
        await wait_until_async(
            lambda: all(frame.duration is not None for frame in frames_of(worker, "cancel_task")),
            check.seconds(PATIENCE),
        )
        after = await attempt(remote("after", "afterwards", delivery_timeout=check.seconds(5.0)))
        gate.release()
        other = await beside
        if other.value != "beside":
            return f"another run, which was in flight, ended with {other}"
        if after.value != "afterwards":
            return f"the next run ended with {after}"
        return ""

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
            check.fail("no cancel_task arrived", late=True)
        gate.release()

    check.run_script(worker, script)
    limit = check.seconds(CANCEL_WITHIN)
    if not check.last_weave.wait(limit):
        check.fail(
            f"{limit:g} s after its last task the weave still waits for the answer to a"
            " best_effort cancel_task",
            late=True,
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
                check.fail("no cancel_task arrived", late=True)
            stray = check.silence(STRAY)
            if await watch_async(lambda: len(frames_of(worker, "run_task")) > 1, stray):
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
    "11",
    sources.PROTOCOL,
    scenario="two runs in flight; the coroutine that waits for one is cancelled while no connection"
    f" to the worker can be made: {', '.join(map(str, UNREACHABLE))}",
    expected="the other run and the next one have their results each time",
)
def unreachable(check: CaseContext) -> str:
    """A cancel_task that cannot be sent does not affect other runs."""
    for fault in UNREACHABLE:
        _cancelled_while(check, fault)
    return "the other runs were not affected"


def _cancelled_while(check: CaseContext, fault: Fault) -> None:
    worker = check.worker(timeout=check.seconds(4.0))
    gate = worker.hold("merge:beside")
    held = worker.hold(ABANDONED)
    what = f"a cancel_task could not be sent ({fault})"

    async def script(remote: Remote) -> None:
        beside = asyncio.ensure_future(attempt(remote("beside", "beside")))
        run = asyncio.ensure_future(attempt(remote("abandoned")))
        arrived = await wait_until_async(
            lambda: bool(gate.runs and held.runs), check.seconds(PATIENCE)
        )
        if not arrived:
            check.fail("two runs at once did not both arrive", late=True)
        with worker.inject(fault) as injected:
            run.cancel()
            await watch_async(lambda: injected.hits > 0, check.silence(SENDING))
        after = await attempt(remote("after", "afterwards", delivery_timeout=check.seconds(5.0)))
        gate.release()
        other = await beside
        for name, outcome, value in (
            ("another run, which was in flight,", other, "beside"),
            ("the next run", after, "afterwards"),
        ):
            if outcome.value != value:
                check.fail(f"{what}, and {name} ended with {outcome}")

    check.run_script(worker, script, within=20.0)
