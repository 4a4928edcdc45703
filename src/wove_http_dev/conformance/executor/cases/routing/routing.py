"""Routing cases: an answer belongs to the run that asked for it, and to no other.

Runs are held at the worker, so that the wrong answer always comes while they wait.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from wove_http_dev.conformance.case import MUST, SHOULD, Family, NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext, attempt, until_in_loop
from wove_http_dev.conformance.executor.weaving import Remote
from wove_http_dev.faults import Fault
from wove_http_dev.faults.events import (
    ForeignRun,
    MissingRunId,
    UnhashableRunId,
    WrongRunId,
    WrongTaskId,
)
from wove_http_dev.faults.fault import ResponseStage
from wove_http_dev.faults.run import Hang
from wove_http_dev.protocol import frames as wire
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.runs.holds import Gate
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

routing = Family("routing")
ITEMS = 100
NAMES = ("first", "second", "third")
ARRIVED = 1.5
"""Seconds within which a run that is sent arrives."""


@routing.case(
    "01",
    "mapped",
    MUST,
    sources.RUNTIME,
    sent=f"a task mapped over {ITEMS} items",
    expected=f"{ITEMS} results, each its own item's, in order",
)
def mapped(check: CaseContext) -> str:
    """Of many runs in flight each gets its own result."""
    worker = check.worker()

    def define(w: Weave, environment: str) -> None:
        @w.do(range(ITEMS), environment=environment, delivery_timeout=6.0)
        def squared(item: int) -> tuple[int, int]:
            return item, item * item

    weaving = check.weave(worker, define)
    check.ends(weaving, 15.0, f"a weave mapped over {ITEMS} items")
    told = weaving.told("squared")
    expected = [(item, item * item) for item in range(ITEMS)]
    if told.value != expected:
        if told.kind == "result" and len(told.value) == ITEMS:
            index = next(i for i in range(ITEMS) if told.value[i] != expected[i])
            check.fail(f"item {index} got the result {told.value[index]!r}: runs were mixed up")
        check.fail(
            f"{len(worker.runs)} of {ITEMS} runs arrived and were answered, and they came to"
            f" {told}: answers were mixed up, or lost"
        )
    return f"{ITEMS} right results"


@routing.case(
    "02",
    "two-weaves",
    MUST,
    sources.RUNTIME,
    sent="two weaves at once over one worker, tasks of the same name, 20 items each",
    expected="each weave has its own results",
)
def two_weaves(check: CaseContext) -> str:
    """Weaves that share a worker share nothing else."""
    worker = check.worker()

    def tagged(tag: str) -> Any:
        def define(w: Weave, environment: str) -> None:
            @w.do(range(20), environment=environment, delivery_timeout=6.0)
            def task(item: int) -> tuple[str, int]:
                return tag, item

        return define

    weavings = {tag: check.weave(worker, tagged(tag)) for tag in ("one", "two")}
    for tag, weaving in weavings.items():
        check.ends(weaving, 15.0, "one of two weaves at once")
        told = weaving.told()
        if told.value != [(tag, item) for item in range(20)]:
            check.fail(f"weave {tag!r} of two at once came to {told}")
    return "each its own"


def _beside(check: CaseContext, fault: Fault) -> str:
    """A run waits while another one's answer is wrong; it must get its own result, and so must
    the next."""
    worker = check.worker()
    gate = worker.hold("merge:waiting")
    worker.inject(fault, task="merge:other", times=1)
    what = f"the answer to another run was wrong ({fault.name})"

    async def script(remote: Remote) -> str:
        waiting = asyncio.ensure_future(remote("waiting", "of the waiting run"))
        await until_in_loop(lambda: bool(gate.runs), PATIENCE)
        other = await attempt(remote("other", "of the other run", delivery_timeout=0.5))
        gate.release()
        told = await attempt(waiting)
        if told.value == "of the other run":
            check.fail(f"{what}, and a run that waited took its result: runs were mixed up")
        if told.value != "of the waiting run":
            check.fail(f"{what}, and a run that waited was taken down with it: {told}")
        after = await attempt(remote("after", "afterwards", delivery_timeout=5.0))
        if after.value != "afterwards":
            check.fail(f"{what}, and no run after it works any more: {after}")
        return f"the other run: {other}; the rest as usual"

    return str(check.script(worker, script))


def _add(number: str, fault: Fault, wrong: str) -> None:
    def body(check: CaseContext) -> str:
        return _beside(check, fault)

    body.__doc__ = "What is wrong with the answer to one run is no other run's concern."
    routing.case(
        number,
        fault.name,
        MUST,
        sources.RUNTIME,
        sent=f"two runs at once; the answer to one {wrong}",
        expected="the other one and the next have their own results",
    )(body)


_add("03", ForeignRun(), "has a task_result for the other one as well")
_add("04", WrongRunId(), "names a run that does not exist")
_add("05", MissingRunId(), "names no run")
_add("06", UnhashableRunId(), "has a list as run_id")


@routing.case(
    "07",
    "foreign-only",
    MUST,
    sources.RUNTIME,
    sent="two runs at once; the answer to one speaks of the other one only",
    expected="the other one has its own result",
)
def foreign_only(check: CaseContext) -> str:
    """A run is ended by the answer to its own POST, not by that to another's."""
    worker = check.worker()
    gate = worker.hold("merge:waiting")

    async def script(remote: Remote) -> str:
        waiting = asyncio.ensure_future(remote("waiting", "of the waiting run"))
        await until_in_loop(lambda: bool(gate.runs), PATIENCE)
        foreign = {
            "type": "task_error",
            "run_id": gate.runs[0].run_id,
            "error": {"message": "no"},
        }
        worker.stub("merge:other", events=[foreign])
        await attempt(remote("other", delivery_timeout=0.5))
        gate.release()
        told = await attempt(waiting)
        if told.value != "of the waiting run":
            check.fail(f"the answer to one run ended another: {told}")
        return str(told)

    return str(check.script(worker, script))


@routing.case(
    "08",
    "wrong-task-id",
    SHOULD,
    sources.RUNTIME,
    sent="a run whose answer names its run_id and another task_id",
    expected="the task's result, or an error",
)
def wrong_task_id(check: CaseContext) -> str:
    """It is the run_id that says whose an answer is."""
    worker = check.worker()
    worker.inject(WrongTaskId())
    told = check.one(worker, delivery_timeout=1.0)
    if told.kind not in ("result", "error") or told.value not in (None, "the result"):
        check.fail(str(told))
    return str(told)


def _arrived(gate: Gate) -> bool:
    return bool(gate.runs)


async def _three(worker: HttpWorker, remote: Remote) -> tuple[list[Gate], list[Any]]:
    """Three runs at once, sent one after the other, and the gates where they wait."""
    gates, runs = [], []
    for name in NAMES:
        gates.append(worker.hold(f"merge:{name}"))
        runs.append(asyncio.ensure_future(attempt(remote(name, name, delivery_timeout=5.0))))
        await until_in_loop(partial(_arrived, gates[-1]), ARRIVED)
    return gates, runs


@routing.case(
    "09",
    "out-of-order",
    MUST,
    sources.RUNTIME,
    sent="three runs at once, answered in the opposite order",
    expected="each has its own result",
)
def out_of_order(check: CaseContext) -> str:
    """Answers find their runs in whatever order they come."""
    worker = check.worker()

    async def script(remote: Remote) -> str:
        gates, runs = await _three(worker, remote)
        if not all(map(_arrived, gates)):
            raise NotApplicable("the three were never at the worker at once (see routing.10)")
        for name, gate, run in reversed(list(zip(NAMES, gates, runs, strict=True))):
            gate.release()
            told = await run
            what = f"three runs were answered in the opposite order, and the {name} one has {told}"
            if told.kind == "result" and told.value in NAMES and told.value != name:
                check.fail(f"{what}, which is another's: runs were mixed up")
            if told.value != name:
                check.fail(f"{what}: its answer was lost, or given to another run")
        return "each its own"

    return str(check.script(worker, script, within=10.0))


@routing.case(
    "10",
    "side-by-side",
    MUST,
    sources.RUNTIME,
    sent="three runs at once that the worker does not answer",
    expected=f"all three run_task frames, each within {ARRIVED:g} s",
)
def side_by_side(check: CaseContext) -> str:
    """A run is sent when Wove says so, whatever others still wait for."""
    worker = check.worker()

    async def script(remote: Remote) -> int:
        gates, runs = await _three(worker, remote)
        arrived = sum(map(_arrived, gates))
        for gate in gates:
            gate.release()
        await asyncio.gather(*runs)
        return arrived

    arrived = check.script(worker, script, within=10.0)
    if arrived < len(NAMES):
        check.fail(
            f"of three runs at once only {arrived} came to the worker: the next one was not sent"
            " before those had been answered"
        )
    return "three at once"


def _about_another(check: CaseContext, *, bare: bool) -> str:
    """The answer to a run holds a result that is said to be a sibling's."""
    worker = check.worker()
    # Of one name, so that their run ids differ in as little as Wove lets them.
    stalled = worker.inject(Hang(), task="merge:one", times=1)
    foreign = wire.encode_payload(wire.dumps("of the sibling"))
    own = {"type": "task_result", "result_pickle": wire.encode_payload(wire.dumps("its own"))}

    async def script(remote: Remote) -> str:
        sibling = asyncio.ensure_future(attempt(remote("one", "of the sibling")))
        await until_in_loop(lambda: bool(worker.journal.runs), PATIENCE)
        frame = {
            "type": "task_result",
            "run_id": worker.journal.runs[0].run_id,
            "task_id": worker.journal.runs[0].task_id,
            "result_pickle": foreign,
        }
        worker.inject(_Answers([frame] if bare else [frame, own], bare), task="merge:one")
        told = await attempt(remote("one", delivery_timeout=1.0))
        stalled.remove()
        await sibling
        if told.value == "of the sibling":
            check.fail("a run was given a result whose run_id is another's: runs were mixed up")
        if not bare and told.value != "its own":
            check.fail(f"its own result came after one for another run, and it has {told}")
        return str(told)

    return str(check.script(worker, script))


@dataclass(frozen=True)
class _Answers(Fault):
    """Other frames in the place of the answer's, what they lack filled in; or the only one bare."""

    stage: ClassVar[str] = "response"
    command: ClassVar[str | None] = "run_task"
    frames: list[dict[str, Any]]
    bare: bool

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        """The frames, as the answer."""
        asked = json.loads(stage.request.body)
        ids = {"run_id": asked["run_id"], "task_id": asked["task_id"]}
        frames = [{**ids, **frame} for frame in self.frames]
        document: Any = frames[0] if self.bare else {"events": frames}
        return replace(reply, body=json.dumps(document).encode())


@routing.case(
    "11",
    "sibling-first",
    MUST,
    sources.RUNTIME,
    sent="two runs at once; the answer to one has the other one's result first, and then its own",
    expected="its own result",
)
def sibling_first(check: CaseContext) -> str:
    """The run_id of a frame is compared, the whole of it."""
    return _about_another(check, bare=False)


@routing.case(
    "12",
    "bare-frame-of-a-sibling",
    MUST,
    sources.RUNTIME,
    sent="two runs at once; the answer to one is a single bare frame, the other one's result",
    expected="not that result",
)
def bare_frame_of_a_sibling(check: CaseContext) -> str:
    """Also a frame that comes alone says by its run_id whose it is."""
    return _about_another(check, bare=True)
