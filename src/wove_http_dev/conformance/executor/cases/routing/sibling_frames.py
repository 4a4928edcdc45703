"""Cases about frames for other runs, in any kind of answer: no answer ends a run but its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import ABANDONED, NO_CANCEL, abandon_run
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.routing import family
from wove_http_dev.conformance.executor.context import DELIVERY_TIMEOUT, PATIENCE, CaseContext
from wove_http_dev.conformance.executor.raw_answers import RawAnswer, RewrittenAnswer, as_utf_8
from wove_http_dev.conformance.executor.received import has_run
from wove_http_dev.conformance.executor.waits import attempt, wait_until_async
from wove_http_dev.faults.fault import Wire
from wove_http_dev.protocol import frames as wire_frames
from wove_http_dev.runs.records import Run
from wove_http_dev.weave_outcome import WeaveOutcome

IGNORED = 0.5
"""Seconds of the ``delivery_timeout`` of runs that may get no answer of their own."""
SIBLING, OWN = "of the sibling", "its own"


def _result(value: str, run: Run | None = None) -> dict[str, Any]:
    """Return a task_result with ``value`` for ``run``; without ids if there is no run."""
    ids = {"run_id": run.run_id, "task_id": run.task_id} if run else {}
    pickled = wire_frames.encode_payload(wire_frames.dumps(value))
    return {"type": "task_result", "result_pickle": pickled, **ids}


def _error(run: Run) -> dict[str, Any]:
    ids = {"run_id": run.run_id, "task_id": run.task_id}
    return {"type": "task_error", "error": {"kind": "Sibling", "message": SIBLING}, **ids}


def _cancelled(run: Run) -> dict[str, Any]:
    return {"type": "task_cancelled", "run_id": run.run_id, "task_id": run.task_id}


class Way(NamedTuple):
    """One way in which an answer has a frame for another run. ``words`` follows "an answer"."""

    words: str
    status: int = 200
    shape: str = "events"
    first: str = "result"
    """The frame for the other run: "result", "error" or "cancelled"."""
    own: str = "after"
    """Where the run's own result is: "before" or "after" that frame, or "" for nowhere."""


WAYS = (
    Way("that is a list, with a sibling's result before its own", shape="list"),
    Way("with a sibling's error after its own result", first="error", own="before"),
    Way("with a sibling's task_cancelled before its own result", first="cancelled"),
    Way("that is a single frame, a sibling's error", shape="frame", first="error", own=""),
    Way("of 500 with a sibling's result", 500, own=""),
    Way("of 307 with a sibling's error", 307, first="error", own=""),
)


def _rewritten(way: Way, sibling: Run, document: Any) -> bytes:
    """Return the body of an answer as ``way`` says, made of the worker's own ``document``."""
    made: dict[str, Callable[[Run], dict[str, Any]]] = {
        "result": partial(_result, SIBLING),
        "error": _error,
        "cancelled": _cancelled,
    }
    frame, own = made[way.first](sibling), list(document["events"])
    if way.shape == "frame":
        return as_utf_8(frame)
    frames = {"before": [*own, frame], "after": [frame, *own], "": [frame]}[way.own]
    return as_utf_8(frames if way.shape == "list" else {"events": frames})


def _is_of_sibling(outcome: WeaveOutcome) -> bool:
    """Whether a frame for the other run has ended this one. An error that only quotes the body of
    a 500 or 307 is the executor's own."""
    return SIBLING in (outcome.value, outcome.payload.get("message"), str(outcome.error))


@family.must(
    "14",
    sources.RUNTIME,
    scenario="two runs at once; one is answered, each time, with an answer "
    + "; ".join(way.words for way in WAYS),
    expected="the other run has its own result each time",
)
def sibling_frames(check: CaseContext) -> str:
    """A frame for another run has no effect, whatever kind of answer it is in."""
    worker = check.quick_worker()

    async def script(remote: Remote) -> None:
        for number, way in enumerate(WAYS):
            gate = worker.hold(f"merge:waiting{number}")
            waiting = asyncio.ensure_future(attempt(remote(f"waiting{number}", number)))
            arrived = partial(has_run, gate)
            if not await wait_until_async(arrived, check.seconds(PATIENCE)):
                raise NotApplicable("the run did not arrive", needs=["routing.10"])
            rewrite = partial(_rewritten, way, gate.runs[0])
            with worker.inject(RewrittenAnswer(way.words, rewrite, way.status), task="merge:one"):
                limit = IGNORED if not way.own else check.seconds(DELIVERY_TIMEOUT)
                outcome = await attempt(remote("one", OWN, delivery_timeout=limit))
            if _is_of_sibling(outcome) or (way.own and outcome.value != OWN):
                check.fail(f"an answer {way.words} ended its own run with {outcome}")
            gate.release()
            ended = await waiting
            if ended.value != number:
                check.fail(f"an answer {way.words} ended that other run: {ended}")

    check.run_script(worker, script, within=2 * PATIENCE, planned=IGNORED * len(WAYS))
    return f"{len(WAYS)} answers, without an effect on the other run"


@family.must(
    "15",
    sources.RUNTIME,
    scenario="two runs at once; one is abandoned, and its cancel_task is answered with a task_error"
    " and a task_result for the other one",
    expected="the other run and the next one have their own results",
)
def sibling_in_a_cancel(check: CaseContext) -> str:
    """The answer to a cancel_task ends no other run."""
    worker = check.quick_worker()
    worker.hold(ABANDONED)
    gate = worker.hold("merge:waiting")

    async def script(remote: Remote) -> str:
        waiting = asyncio.ensure_future(attempt(remote("waiting", "of the waiting run")))
        if not await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE)):
            raise NotApplicable("the run did not arrive", needs=["routing.10"])
        run = gate.runs[0]
        answer = as_utf_8({"events": [_error(run), _result(SIBLING, run)]})
        fault = RewrittenAnswer("with frames of another run", lambda document: answer)
        worker.inject(fault, command="cancel_task")
        cancel = await abandon_run(check, worker, remote)
        # The next run's answer comes after that of the cancel_task, so what that did is then seen.
        if cancel is not None:
            await wait_until_async(lambda: cancel.written, check.seconds(PATIENCE))
        limit = check.seconds(DELIVERY_TIMEOUT)
        after = await attempt(remote("after", "afterwards", delivery_timeout=limit))
        gate.release()
        outcome = await waiting
        if outcome.value != "of the waiting run":
            check.fail(f"the answer to a cancel_task ended another run, which waited: {outcome}")
        if after.value != "afterwards":
            check.fail(
                f"a cancel_task was answered with frames, and the next run has {after}",
            )
        if cancel is None:
            raise NotApplicable(NO_CANCEL, needs=["cancel.01"])
        return "the other runs were not affected"

    return str(check.run_script(worker, script))


def _with_frames(frames: list[dict[str, Any]], document: Any) -> bytes:
    return as_utf_8({"events": [*frames, *document["events"]]})


@family.must(
    "16",
    sources.RUNTIME,
    scenario="three runs in a row; the answer to the second one repeats the first one's task_result"
    " and has a task_error for it, before its own result",
    expected="each has its own result",
)
def ended_run(check: CaseContext) -> str:
    """A frame for a run that has ended has no effect, and harms no other run."""
    worker = check.quick_worker()

    async def script(remote: Remote) -> str:
        limit = check.seconds(DELIVERY_TIMEOUT)
        for number in range(3):
            outcome = await attempt(remote("one", number, delivery_timeout=limit))
            if outcome.value != number:
                check.fail(
                    f"an answer repeated the frames of a run that had ended, and run {number + 1}"
                    f" of 3 ended with {outcome}",
                    expected=f"the result {number}",
                )
            if number == 0:
                first = worker.journal.runs[0]
                repeated = partial(_with_frames, [_result(SIBLING, first), _error(first)])
                fault = RewrittenAnswer("with frames of an ended run", repeated)
                worker.inject(fault, times=1)
        return "without an effect"

    return str(check.run_script(worker, script))


def _twice(wire: Wire) -> None:
    wire.send((wire.head + wire.body) * 2)


@family.must(
    "17",
    sources.DESYNCHRONISED,
    scenario="a run that is answered twice on its connection, then two others",
    expected="each has its own result, or an error",
)
def answered_twice(check: CaseContext) -> str:
    """What follows an answer on its connection is not the result of the next run."""
    worker = check.quick_worker()
    worker.inject(RawAnswer("that comes twice", _twice), times=1)

    async def script(remote: Remote) -> str:
        for number in range(3):
            limit = check.seconds(DELIVERY_TIMEOUT)
            outcome = await attempt(remote("one", number, delivery_timeout=limit))
            # An executor may notice by the run_id only, and have an error for a run.
            if outcome.kind == "result" and outcome.value != number:
                check.fail(f"a run was answered twice, and run {number + 1} of 3 has {outcome}")
        return "no run has another one's result"

    return str(check.run_script(worker, script))
