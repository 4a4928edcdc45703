"""Cases about a cancel_task that fails, and about one that comes when its run has ended: the
outcome of the run is its own, and ``send()`` raises nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.cancel import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.direct_session import DirectSession, words_of
from wove_http_dev.conformance.executor.time_limits import note_timeout
from wove_http_dev.conformance.executor.waits import give_up, wait_until_async, watch_async
from wove_http_dev.faults import Fault, connection, response, wire
from wove_http_dev.faults.run import RefuseCancel, SlowCancel
from wove_http_dev.weave_outcome import WeaveOutcome
from wove_http_dev.worker import HttpWorker

GIVEN_UP = 0.15
"""Seconds of the ``delivery_timeout`` of a run that is given up."""
TIMEOUT = 0.7
"""Seconds of the executor's timeout in a weave with cancel_tasks that are not answered."""
SHORT_TIMEOUT = 0.5
"""Seconds of the executor's timeout where neither a run nor its cancel_task is answered."""
STRAY = 0.5
"""Seconds to wait for a frame that should never come."""
BEST_EFFORT, REQUIRE_ACK = "best_effort", "require_ack"
REFUSED = connection.RefuseConnections()
NOT_ANSWERED = SlowCancel(delay=60.0)
FAILURES = (
    (response.Status(500), REQUIRE_ACK, BEST_EFFORT),
    (response.Status(401), BEST_EFFORT, REQUIRE_ACK),
    (response.InvalidJson(), REQUIRE_ACK, BEST_EFFORT),
    (wire.ResetBeforeResponse(), BEST_EFFORT, REQUIRE_ACK),
)
"""Failures of cancel_tasks. With each, the delivery_timeout of a run with the first mode ends,
and the coroutine that waits for a run with the second mode is cancelled."""
STATUS = 599
"""A status that nothing but the answer to the cancel_task has."""
REPORTED = (RefuseCancel(STATUS), wire.CloseWithoutResponse(), REFUSED)
"""Failures of a cancel_task whose run is answered later."""


@family.must(
    "12",
    sources.RUNTIME,
    scenario="runs whose delivery_timeout ends, and runs whose waiting coroutines are cancelled,"
    f" with {BEST_EFFORT} and {REQUIRE_ACK}; their cancel_tasks fail:"
    f" {'; '.join(str(fault) for fault, *_ in FAILURES)}; {REFUSED}; no answer within the"
    f" executor's timeout of {TIMEOUT:g} s",
    expected="DeliveryTimeoutError as the error of the first, CancelledError of the others",
)
def failure_not_raised(check: CaseContext) -> str:
    """A cancel_task that fails does not replace the error of the run that is given up."""
    worker = check.worker()

    async def fails(remote: Remote) -> None:
        for fault, late, cut in FAILURES:
            await _give_up_two(check, worker, remote, fault, [late], [cut])
        await _give_up_two(check, worker, remote, REFUSED, [], [BEST_EFFORT, REQUIRE_ACK])

    check.run_script(worker, fails, within=2 * PATIENCE)
    impatient = check.worker(timeout=check.seconds(TIMEOUT))

    async def is_not_answered(remote: Remote) -> None:
        await _give_up_two(check, impatient, remote, NOT_ANSWERED, [REQUIRE_ACK], [REQUIRE_ACK])

    check.run_script(impatient, is_not_answered, planned=2 * check.seconds(TIMEOUT))
    return "each run has its own error"


def _command(fault: Fault) -> str | None:
    """Return the command that selects the requests for ``fault``: none, if it acts before one."""
    return None if fault is REFUSED else "cancel_task"


async def _give_up_two(
    check: CaseContext,
    worker: HttpWorker,
    remote: Remote,
    fault: Fault,
    late: Sequence[str],
    cut: Sequence[str],
) -> None:
    """Start runs with the modes ``late``, whose delivery_timeout ends, and with the modes ``cut``,
    whose waiting coroutines are cancelled. Raises :class:`CaseFailed` unless each has its own
    error.

    There are two runs at a time, because each takes two threads, with its cancel_task, of an
    executor that uses Python's default pool, which has at least five.
    """
    from wove.environment import DeliveryTimeoutError

    gates = {task: worker.hold(f"merge:{task}") for task in ("late", "cut")}

    def start(task: str, mode: str, timeout: float | None) -> asyncio.Future[WeaveOutcome]:
        run = remote(task, delivery_cancel_mode=mode, delivery_timeout=timeout)
        return asyncio.ensure_future(give_up(run))

    runs = [start("cut", mode, None) for mode in cut]
    waiting = gates["cut"]
    if not await wait_until_async(lambda: len(waiting.runs) == len(cut), check.seconds(PATIENCE)):
        check.fail(f"{len(waiting.runs)} of {len(cut)} runs arrived", late=True)
    timed_out = [start("late", mode, GIVEN_UP) for mode in late]
    with worker.inject(fault, command=_command(fault)):
        for run in runs:
            run.cancel()
        outcomes = await asyncio.gather(*timed_out, *runs)
    for each in gates.values():
        each.release()
    errors = [DeliveryTimeoutError] * len(late) + [asyncio.CancelledError] * len(cut)
    for outcome, error, mode in zip(outcomes, errors, (*late, *cut), strict=True):
        if not isinstance(outcome.error, error):
            note_timeout(outcome.error)
            check.fail(
                f"the cancel_task ({mode}) of a run that was given up failed ({fault}), and instead"
                f" of {error.__name__} the run ended with {outcome}"
            )


@family.should(
    "13",
    sources.EXECUTOR,
    scenario="an executor that is driven without Wove's runtime; runs in flight, whose cancel_tasks"
    f" fail: {'; '.join(map(str, REPORTED))}; then the worker answers the runs; and a run whose"
    f" cancel_task has no answer within the executor's timeout of {SHORT_TIMEOUT:g} s",
    expected="one terminal frame for each run at most, and none about a cancel_task",
)
def failure_not_reported(check: CaseContext) -> str:
    """A cancel_task that fails is not reported as the end of its run. (SHOULD, because Wove's
    runtime ignores frames for a run that it has given up.)"""
    worker = check.worker()

    async def script(_: Remote) -> None:
        async with DirectSession(check, worker) as session:
            for number, fault in enumerate(REPORTED):
                await _cancel_fails(check, worker, session, fault, f"cancelled_{number}")

    check.run_script(worker, script, within=20.0)
    impatient = check.worker(timeout=check.seconds(SHORT_TIMEOUT))
    impatient.inject(NOT_ANSWERED)

    async def is_not_answered(_: Remote) -> None:
        async with DirectSession(check, impatient) as session:
            gate = impatient.hold("task")
            run_id = await session.run("task")
            await wait_until_async(lambda: bool(gate.runs), check.seconds(SHORT_TIMEOUT))
            when = "a cancel_task was not answered"
            await session.cancel(run_id, when)
            limit = check.seconds(SHORT_TIMEOUT) + check.silence(STRAY)
            await watch_async(lambda: len(session.ends_of(run_id)) > 1, limit)
            _expect_one_end(check, session, run_id, when)

    check.run_script(impatient, is_not_answered, planned=3 * check.seconds(SHORT_TIMEOUT))
    return "none"


async def _cancel_fails(
    check: CaseContext, worker: HttpWorker, session: DirectSession, fault: Fault, task: str
) -> None:
    """Cancel a run of ``task``, while ``fault`` lets the cancel_task fail; then let the worker
    answer the run."""
    gate = worker.hold(task)
    run_id = await session.run(task)
    if not await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE)):
        check.fail("a run that was sent without Wove's runtime did not arrive", late=True)
    when = f"a cancel_task failed ({fault})"
    with worker.inject(fault, command=_command(fault)):
        await session.cancel(run_id, when)
        await watch_async(lambda: bool(session.ends_of(run_id)), check.silence(STRAY))
    gate.release()
    await session.expect_result(await session.run("later", "later"), "later", when)
    said = _expect_one_end(check, session, run_id, when)
    if str(STATUS) in said:
        check.fail(f"{when}, and that was handed out as the end of its run: {said}")


def _expect_one_end(check: CaseContext, session: DirectSession, run_id: str, when: str) -> str:
    """Raise :class:`CaseFailed` if there is more than one terminal frame for ``run_id``; return
    those that there are in words."""
    ends = session.ends_of(run_id)
    said = ", ".join(map(words_of, ends))
    if len(ends) > 1:
        check.fail(f"{when}, and {len(ends)} terminal frames for its run were handed out: {said}")
    return said


def _cancel_oddly(check: CaseContext, *, known: bool) -> None:
    """Send a cancel_task twice and for a run that has ended, or, if ``known`` is false, for a run
    that was never sent, while another run is in flight."""
    worker = check.worker()
    held, gate = worker.hold("held"), worker.hold("beside")

    async def script(_: Remote) -> None:
        async with DirectSession(check, worker) as session:
            beside = await session.run("beside", "beside")
            if known:
                done, twice = await session.run("done", "done"), await session.run("held")
                await session.expect_result(done, "done", "an executor was started")
                await wait_until_async(lambda: bool(held.runs), check.seconds(PATIENCE))
                for run_id in (twice, twice):
                    await session.cancel(run_id, "a cancel_task was sent twice")
                when = "a cancel_task came after the result of its run"
            else:
                done, when = "unknown:0", "a cancel_task came for a run that was never sent"
            await session.cancel(done, when)
            await watch_async(lambda: len(session.ends_of(done)) > known, check.silence(STRAY))
            gate.release()
            await session.expect_result(beside, "beside", when)
            ends = session.ends_of(done)
            if len(ends) > known:
                said = ", ".join(map(words_of, ends))
                check.fail(f"{when}, and {len(ends)} terminal frames were handed out: {said}")

    check.run_script(worker, script)


@family.must(
    "14",
    sources.RUNTIME,
    scenario="an executor that is driven without Wove's runtime; a cancel_task that is sent twice,"
    " and one for a run that has its result, as Wove's runtime does when a weave is cancelled, or a"
    " timeout ends, at that moment; another run in flight",
    expected="send() raises nothing; one terminal frame for the run with the result; the other run"
    " has its result",
)
def again_and_late(check: CaseContext) -> str:
    """A cancel_task that is sent twice, or after the result of its run, does no harm."""
    _cancel_oddly(check, known=True)
    return "no harm"


@family.should(
    "15",
    sources.EXECUTOR,
    scenario="an executor that is driven without Wove's runtime; a cancel_task for a run that was"
    " never sent; another run in flight",
    expected="send() raises nothing; no terminal frame for the unknown run; the other run has its"
    " result",
)
def unknown_run(check: CaseContext) -> str:
    """A cancel_task for an unknown run does no harm."""
    _cancel_oddly(check, known=False)
    return "no harm"
