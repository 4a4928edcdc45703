"""Cases about answers that name the wrong run: an answer may affect only the run whose request it
answers. The worker holds another run meanwhile, so that this run still waits for its own answer
when the wrong one arrives."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.routing import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.raw_answers import RewrittenAnswer, as_utf_8
from wove_http_dev.conformance.executor.waits import attempt, wait_until_async
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

ARRIVED = 0.5
"""Seconds within which a wrong answer arrives on an idle machine. It may leave its run waiting, so
they are also the ``delivery_timeout`` of that run."""


class WrongAnswer(NamedTuple):
    """A fault that makes the answer to one run wrong. ``words`` describes the answer in reports;
    ``name`` becomes the name of the case."""

    name: str
    fault: Fault
    words: str


def _with_a_list_as_type(document: Any) -> bytes:
    return as_utf_8({"events": [{**frame, "type": ["x"]} for frame in document["events"]]})


UNHASHABLE_TYPE = RewrittenAnswer("with a list as type", _with_a_list_as_type)


@family.each(
    {
        "03": WrongAnswer(
            ForeignRun.name, ForeignRun(), "has a task_result for the other one as well"
        ),
        "04": WrongAnswer(WrongRunId.name, WrongRunId(), "names a run that does not exist"),
        "05": WrongAnswer(MissingRunId.name, MissingRunId(), "does not name a run"),
        "06": WrongAnswer(UnhashableRunId.name, UnhashableRunId(), "has a list as run_id"),
        "13": WrongAnswer("unhashable-type", UNHASHABLE_TYPE, "has a list as type"),
    },
    sources.RUNTIME,
    name="{0.name}",
    scenario="two runs at once; the answer to one {0.words}",
    expected="the other run and the next one have their own results",
)
def other_runs_unharmed(check: CaseContext, wrong: WrongAnswer) -> str:
    """A wrong answer to one run does not affect any other run."""
    worker = check.worker()
    gate = worker.hold("merge:waiting")
    worker.inject(wrong.fault, task="merge:other", times=1)
    what = f"the answer to another run was wrong ({wrong.name})"

    async def script(remote: Remote) -> str:
        waiting = asyncio.ensure_future(remote("waiting", "of the waiting run"))
        await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE))
        limit = check.seconds(ARRIVED)
        other = await attempt(remote("other", "of the other run", delivery_timeout=limit))
        gate.release()
        outcome = await attempt(waiting)
        if outcome.value == "of the other run":
            check.fail(f"{what}, and a run that waited took its result: runs were mixed up")
        if outcome.value != "of the waiting run":
            check.fail(f"{what}, and a run that waited for its own answer ended with {outcome}")
        after = await attempt(remote("after", "afterwards", delivery_timeout=check.seconds(5.0)))
        if after.value != "afterwards":
            check.fail(f"{what}, and the next run ended with {after}")
        return f"the other run: {other}; the others were not affected"

    return str(check.run_script(worker, script))


@family.must(
    "07",
    sources.RUNTIME,
    scenario="two runs at once; the answer to one names only the other run",
    expected="the other run has its own result",
)
def foreign_only(check: CaseContext) -> str:
    """A run is ended only by the answer to its own POST."""
    worker = check.worker()
    gate = worker.hold("merge:waiting")

    async def script(remote: Remote) -> str:
        waiting = asyncio.ensure_future(remote("waiting", "of the waiting run"))
        await wait_until_async(lambda: bool(gate.runs), check.seconds(PATIENCE))
        foreign = {
            "type": "task_error",
            "run_id": gate.runs[0].run_id,
            "error": {"message": "no"},
        }
        worker.stub("merge:other", events=[foreign])
        await attempt(remote("other", delivery_timeout=check.seconds(ARRIVED)))
        gate.release()
        outcome = await attempt(waiting)
        if outcome.value != "of the waiting run":
            check.fail(f"the answer to one run ended another: {outcome}")
        return str(outcome)

    return str(check.run_script(worker, script))


@family.should(
    "08",
    sources.RUNTIME,
    scenario="a run whose answer names its run_id and another task_id",
    expected="the task's result, or an error",
)
def wrong_task_id(check: CaseContext) -> str:
    """The run_id alone decides which run an answer belongs to."""
    worker = check.worker()
    worker.inject(WrongTaskId())
    outcome = check.run_one_weave(worker, delivery_timeout=1.0)
    if outcome.kind not in ("result", "error") or outcome.value not in (None, "the result"):
        check.fail(str(outcome))
    return str(outcome)


def _answer_names_sibling(check: CaseContext, *, bare: bool) -> str:
    """Start two runs of the same task, answer the second with a result that names the first, and
    require that the second does not use it. If ``bare`` is false, the answer also has the second
    run's own result, which must be used. Return the second run's outcome as text."""
    worker = check.worker()
    # Both runs have the same task name, so that their run ids differ as little as possible.
    stalled = worker.inject(Hang(), task="merge:one", times=1)
    foreign = wire.encode_payload(wire.dumps("of the sibling"))
    own = {"type": "task_result", "result_pickle": wire.encode_payload(wire.dumps("its own"))}

    async def script(remote: Remote) -> str:
        sibling = asyncio.ensure_future(attempt(remote("one", "of the sibling")))
        await wait_until_async(lambda: bool(worker.journal.runs), check.seconds(PATIENCE))
        frame = {
            "type": "task_result",
            "run_id": worker.journal.runs[0].run_id,
            "task_id": worker.journal.runs[0].task_id,
            "result_pickle": foreign,
        }
        worker.inject(OtherFrames([frame] if bare else [frame, own], bare), task="merge:one")
        # The answer that is a single frame may leave the run waiting for this timeout.
        limit = 1.0 if bare else check.seconds(1.0)
        outcome = await attempt(remote("one", delivery_timeout=limit))
        stalled.remove()
        await sibling
        if outcome.value == "of the sibling":
            check.fail("a run was given a result with the run_id of another: runs were mixed up")
        if not bare and outcome.value != "its own":
            check.fail(
                f"a run's own result followed one for another run, and it ended with {outcome}",
            )
        return str(outcome)

    return str(check.run_script(worker, script))


@dataclass(frozen=True)
class OtherFrames(Fault):
    """Replaces the frames of the answer with ``frames``, in which missing ids are filled in; with
    ``bare``, with the first of them alone."""

    stage: ClassVar[str] = "response"
    command: ClassVar[str | None] = "run_task"
    frames: list[dict[str, Any]]
    bare: bool

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        """Return a reply with the frames of this fault."""
        asked = json.loads(stage.request.body)
        ids = {"run_id": asked["run_id"], "task_id": asked["task_id"]}
        frames = [{**ids, **frame} for frame in self.frames]
        document: Any = frames[0] if self.bare else {"events": frames}
        return replace(reply, body=json.dumps(document).encode())

    def __str__(self) -> str:
        return f"{self.name} bare={self.bare}"


@family.must(
    "11",
    sources.RUNTIME,
    scenario="two runs at once; the answer to one has the other one's result first, and then its"
    " own",
    expected="the run's own result",
)
def sibling_first(check: CaseContext) -> str:
    """A frame belongs to a run only if the whole run_id matches."""
    return _answer_names_sibling(check, bare=False)


@family.must(
    "12",
    sources.RUNTIME,
    scenario="two runs at once; the answer to one is a single bare frame, the other one's result",
    expected="not that result",
)
def bare_frame_of_a_sibling(check: CaseContext) -> str:
    """The run_id of an answer that is a single frame is compared as well."""
    return _answer_names_sibling(check, bare=True)
