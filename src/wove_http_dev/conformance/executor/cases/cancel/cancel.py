"""Cancel cases: a run that is given up is cancelled at the worker, truly and harmlessly.

Runs are held at the worker, so each is certainly in flight when its time is up.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from wove_http_dev.conformance.case import MUST, SHOULD, Family, NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cancelling import (
    GIVEN_UP,
    NONE_ARRIVED,
    SENT,
    answered,
    cancels_of,
    given_up,
)
from wove_http_dev.conformance.executor.context import (
    PATIENCE,
    CaseContext,
    attempt,
    frames_of,
    headers_of,
    until,
    until_in_loop,
)
from wove_http_dev.conformance.executor.refusals import refusal
from wove_http_dev.conformance.executor.weaving import Remote
from wove_http_dev.faults import response, wire
from wove_http_dev.faults.run import LostResponse, SlowCancel
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.records import Exchange

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

cancel = Family("cancel")
STRAY = 0.5
"""Seconds within which a cancel_task that nobody asked for would have arrived."""
REPEATS = 5
MANY = 40
"""More runs at once than Python's default pool has threads (32 at most)."""
ANSWERS = (
    response.Status(500),
    response.InvalidJson(),
    response.HtmlPage(),
    wire.CloseWithoutResponse(),
    response.Redirect(307),
)


def _arrived(gate: Gate) -> bool:
    return bool(gate.runs)


@cancel.case(
    "01",
    "sent",
    MUST,
    sources.PROTOCOL,
    sent=f"a run in flight that its delivery_timeout ends, {REPEATS} times; the weave goes on",
    expected=f"a cancel_task for it within {SENT:g} s, {REPEATS} times of {REPEATS}",
)
def sent(check: CaseContext) -> str:
    """When its delivery_timeout strikes, a run in flight is cancelled."""
    worker = check.worker()
    worker.hold(GIVEN_UP)

    async def script(remote: Remote) -> int:
        for count in range(REPEATS):
            if await given_up(worker, remote) is None:
                return count
        return REPEATS

    count = check.script(worker, script, within=PATIENCE + REPEATS)
    if count < REPEATS:
        stray = len(frames_of(worker, "cancel_task")) - count
        other = f"; {stray} cancel_task arrived for something else" if stray > 0 else ""
        check.fail(
            f"cancel_task was not sent for run {count + 1} of {REPEATS} that their"
            f" delivery_timeout ended while they were in flight{other}"
        )
    return f"{count} of {REPEATS}"


@cancel.case(
    "02",
    "only-its-own-run",
    MUST,
    sources.PROTOCOL,
    sent="two runs in flight, of which a delivery_timeout ends one",
    expected="one cancel_task, for that run; the other run has its result",
)
def only_its_own_run(check: CaseContext) -> str:
    """A cancel_task names the run that was given up, and no other."""
    worker = check.worker()
    worker.hold(GIVEN_UP)
    gate = worker.hold("merge:other")

    async def script(remote: Remote) -> str:
        other = asyncio.ensure_future(remote("other", "of the other run"))
        await until_in_loop(lambda: bool(gate.runs), PATIENCE)
        found = await given_up(worker, remote)
        await until_in_loop(lambda: bool(cancels_of(worker, gate.runs[0].run_id)), STRAY)
        gate.release()
        told = await attempt(other)
        if told.value != "of the other run":
            check.fail(f"one run was given up, and another that was in flight has {told}")
        if found is None:
            check.fail("no cancel_task arrived for the run that was given up")
        return str(told)

    said = str(check.script(worker, script))
    if cancels_of(worker, gate.runs[0].run_id):
        check.fail("a cancel_task was sent for a run that had not been given up")
    return said


@cancel.case(
    "03",
    "mode",
    MUST,
    sources.RUNTIME,
    sent="runs with delivery_cancel_mode best_effort and require_ack that their timeout ends",
    expected="the mode in the cancel_task: only the second is answered with task_cancelled",
)
def mode(check: CaseContext) -> str:
    """A cancel_task carries the run's delivery_cancel_mode."""
    worker = check.worker()
    worker.hold(GIVEN_UP)

    async def script(remote: Remote) -> str:
        for wanted, answer in (("best_effort", []), ("require_ack", ["task_cancelled"])):
            found = await given_up(worker, remote, delivery_cancel_mode=wanted)
            if found is None:
                check.fail(f"no cancel_task arrived for a run with {wanted}")
            await answered(found, PATIENCE)
            if found.refusal:
                check.fail(
                    f"the cancel_task of a run with {wanted} was refused with {found.status}, so"
                    f" its mode came to nothing: {refusal(found)}"
                )
            if found.events != answer:
                check.fail(
                    f"the cancel_task of a run with {wanted} asked for something else: it was"
                    f" answered with {found.events or 'an empty body'}"
                )
        return "as given"

    return str(check.script(worker, script))


@cancel.case(
    "04",
    "all-at-the-end",
    MUST,
    sources.PROTOCOL,
    sent=f"{MANY} runs at once that their delivery_timeout ends, and the weave with them",
    expected="a cancel_task for each run that is in flight",
)
def all_at_the_end(check: CaseContext) -> str:
    """Runs in flight are cancelled also when they are many and the weave ends with them."""
    worker = check.worker()
    worker.hold("given_up")

    def define(w: Weave, environment: str) -> None:
        @w.do(range(MANY), environment=environment, delivery_timeout=0.6)
        def given_up(item: int) -> int:
            return item

    def uncancelled() -> set[str]:
        cancelled = {frame.run_id for frame in frames_of(worker, "cancel_task")}
        return {run.run_id for run in worker.journal.runs} - cancelled

    weaving = check.weave(worker, define)
    until(lambda: len(worker.journal.runs) > 0, PATIENCE)
    until(lambda: bool(frames_of(worker, "cancel_task")) and not uncancelled(), 0.6 + SENT)
    arrived, left = len(worker.journal.runs), len(uncancelled())
    if not arrived:
        check.fail(f"no run arrived: {weaving.told('given_up') if weaving.ended else 'a hang'}")
    if left:
        check.fail(
            f"{left} of {arrived} runs in flight at the end of the weave got no cancel_task: they"
            " run on, and nobody wants them"
        )
    return f"{arrived} runs, all cancelled"


@cancel.case(
    "05",
    "answer-harmless",
    MUST,
    sources.PROTOCOL,
    sent=f"cancel_task frames answered with: {'; '.join(map(str, ANSWERS))}; another run is in"
    " flight",
    expected="that run and the next one have their results each time",
)
def answer_harmless(check: CaseContext) -> str:
    """Whatever a cancel_task is answered, the weave goes on."""
    worker = check.worker(timeout=2.0)
    worker.hold(GIVEN_UP)

    async def script(remote: Remote) -> str:
        for number, answer in enumerate(ANSWERS):
            gate = worker.hold(f"merge:beside_{number}")
            beside = asyncio.ensure_future(attempt(remote(f"beside_{number}", "beside")))
            await until_in_loop(partial(_arrived, gate), PATIENCE)
            with worker.inject(answer, command="cancel_task"):
                found = await given_up(worker, remote)
                if found is None:
                    check.fail("no cancel_task arrived")
                await answered(found, PATIENCE)
                told = await attempt(remote("after", "afterwards", delivery_timeout=5.0))
            gate.release()
            other = await beside
            if other.value != "beside":
                check.fail(
                    f"a cancel_task was answered with {answer}, and another run, which was in"
                    f" flight, has {other}"
                )
            if told.value != "afterwards":
                check.fail(f"a cancel_task was answered with {answer}, and the next run: {told}")
        return "the other runs as usual"

    return str(check.script(worker, script, within=20.0))


@cancel.case(
    "06",
    "best-effort-not-awaited",
    SHOULD,
    sources.PROTOCOL,
    sent="a best_effort cancel_task that the worker does not answer; then the weave's end",
    expected="the weave ends, without waiting for that answer",
)
def best_effort_not_awaited(check: CaseContext) -> str:
    """A best_effort cancel_task holds nobody up."""
    worker = check.worker()
    gate = worker.hold(GIVEN_UP)
    worker.inject(SlowCancel(delay=60.0))

    async def script(remote: Remote) -> None:
        if await given_up(worker, remote) is None:
            check.fail("no cancel_task arrived")
        gate.release()

    check.script(worker, script)
    if not check.last_weave.wait(SENT):
        check.fail(
            f"the weave waits for the answer to a best_effort cancel_task, {SENT:g} s and longer"
        )
    return "not awaited"


@cancel.case(
    "07",
    "require-ack-before-retry",
    SHOULD,
    sources.RUNTIME,
    sent="a run with require_ack and one retry, whose cancel_task the worker does not answer yet",
    expected="no second run_task before the cancel_task was answered",
)
def require_ack_before_retry(check: CaseContext) -> str:
    """With require_ack, a run is not tried again before its cancellation is acknowledged."""
    worker = check.worker()
    worker.hold(GIVEN_UP)
    worker.inject(SlowCancel(delay=60.0))
    options = {"retries": 1, "delivery_timeout": 0.2, "delivery_cancel_mode": "require_ack"}

    async def script(remote: Remote) -> str:
        run = asyncio.ensure_future(attempt(remote("given_up", **options)))
        try:
            if not await until_in_loop(lambda: bool(frames_of(worker, "cancel_task")), SENT):
                check.fail("no cancel_task arrived")
            if await until_in_loop(lambda: len(frames_of(worker, "run_task")) > 1, 0.6):
                refused = refusal(frames_of(worker, "cancel_task")[0])
                if refused:
                    check.fail(
                        "require_ack: the cancel_task for the first attempt was refused, and the"
                        f" task was sent again all the same, so both may run: {refused}"
                    )
                check.fail(
                    "require_ack: the task was sent again while the cancel_task for its first"
                    " attempt had not been answered, so both may run"
                )
        finally:
            run.cancel()
        return "no second attempt before the answer"

    return str(check.script(worker, script))


@cancel.case(
    "08",
    "to-the-same-url",
    MUST,
    sources.PROTOCOL,
    sent="a run that its delivery_timeout ends; the configured URL has a query",
    expected="a cancel_task POSTed as JSON to that URL, its query included",
)
def to_the_same_url(check: CaseContext) -> str:
    """A cancel_task goes where the run_task went, in the same form."""
    worker = check.worker()
    worker.hold(GIVEN_UP)
    url = f"{worker.url}?tenant=a%20b"

    async def script(remote: Remote) -> Exchange | None:
        return await given_up(worker, remote)

    found: Exchange | None = check.script(worker, script, settings={"url": url})
    if found is None:
        raise NotApplicable(NONE_ARRIVED)
    for exchange in [*frames_of(worker, "run_task"), found]:
        content = headers_of(exchange).get("Content-Type") or ""
        sent = (exchange.method, exchange.target, content.partition(";")[0])
        wanted = ("POST", url.partition(f":{worker.port}")[2], "application/json")
        for told, due in zip(sent, wanted, strict=True):
            if told.lower() != due.lower():
                check.fail(
                    f"a {exchange.frame_type} was sent with {told!r} in the place of {due!r}"
                )
    return f"{found.method} {found.target}"


@cancel.case(
    "09",
    "not-for-what-ended",
    MUST,
    sources.PROTOCOL,
    sent="a run with a result, one that fails, and one whose answer is lost",
    expected="no cancel_task",
)
def not_for_what_ended(check: CaseContext) -> str:
    """What has ended is not cancelled: a cancel_task is Wove's to ask for."""
    worker = check.worker()
    worker.stub("merge:fails", error=ValueError("boom"))
    worker.inject(LostResponse(), task="merge:lost")

    async def script(remote: Remote) -> None:
        for name in ("works", "fails", "lost"):
            await attempt(remote(name, delivery_timeout=5.0))
        await until_in_loop(lambda: bool(frames_of(worker, "cancel_task")), STRAY)

    check.script(worker, script)
    for exchange in frames_of(worker, "cancel_task"):
        check.fail(f"a cancel_task was sent for {exchange.task_id!r}, which had ended by itself")
    return "none"
