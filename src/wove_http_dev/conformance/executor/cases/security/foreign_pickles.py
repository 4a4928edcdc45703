"""A case about pickles in an answer: the executor unpickles a payload only if it is for a run that
is still waiting."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import ClassVar

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import (
    ABANDONED,
    abandon_run,
    wait_for_answer,
)
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.pickles import PickleCanary
from wove_http_dev.conformance.executor.waits import watch_async
from wove_http_dev.faults import Fault
from wove_http_dev.faults.fault import ResponseStage
from wove_http_dev.protocol import frames as wire
from wove_http_dev.protocol.messages import Reply, json_reply

LOADED_AFTER = 0.2
"""Seconds within which an executor loads what the answer to a cancel_task holds."""


@family.should(
    "19",
    sources.UNTRUSTED_PICKLES,
    scenario="a correct answer that also has a task_result, a task_error, a log and a run_task"
    " frame for a run that does not exist; a task_result in the answer to a cancel_task; their"
    " pickles record that they were loaded",
    expected="the task's result; those pickles are not loaded",
)
def foreign_pickles_not_loaded(check: CaseContext) -> str:
    """A payload is unpickled only for the run that waits for it."""
    said = _check_answer_to_a_run(check)
    _check_answer_to_a_cancel(check)
    return said


def _check_answer_to_a_run(check: CaseContext) -> str:
    worker = check.worker()
    canary, result = PickleCanary(), wire.encode_payload(wire.dumps("mine"))
    payload = wire.encode_payload(wire.dumps(canary))
    worker.stub(
        "task",
        events=[
            {
                "type": "task_result",
                "run_id": "unknown:0",
                "result_pickle": payload,
            },
            {
                "type": "task_error",
                "run_id": "unknown:0",
                "error": {"message": "of an unknown run"},
                "exception_pickle": payload,
            },
            {"type": "log", "run_id": "unknown:0", "error_pickle": payload},
            {
                "type": "run_task",
                "run_id": "unknown:0",
                "callable_pickle": payload,
                "args_pickle": payload,
            },
            {"type": "task_result", "result_pickle": result},
        ],
    )
    outcome = check.run_one_weave(worker)
    if canary.loaded:
        check.fail(f"the pickle of a frame for a run that does not exist was loaded; {outcome}")
    return f"not loaded; {outcome}"


@dataclass(frozen=True)
class LateResult(Fault):
    """Answers a cancel_task with the result of its run, which ``payload`` pickles."""

    stage: ClassVar[str] = "response"
    payload: str = field(default="", repr=False)

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        """Answer with a task_result."""
        event = {"type": "task_result", "run_id": json.loads(stage.request.body)["run_id"]}
        return json_reply(200, {"events": [{**event, "result_pickle": self.payload}]})

    def __str__(self) -> str:
        return self.name


def _check_answer_to_a_cancel(check: CaseContext) -> None:
    worker, canary = check.worker(), PickleCanary()
    worker.hold(ABANDONED)
    payload = wire.encode_payload(wire.dumps(canary))
    worker.inject(LateResult(payload), command="cancel_task")

    async def script(remote: Remote) -> bool:
        cancel = await abandon_run(check, worker, remote)
        if cancel is not None:
            await wait_for_answer(cancel, check.seconds(PATIENCE))
        return await watch_async(lambda: canary.loaded, check.silence(LOADED_AFTER))

    if check.run_script(worker, script):
        check.fail("the pickle of a result in the answer to a cancel_task was loaded")
