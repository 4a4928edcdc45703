"""A case about pickles in an answer: the executor unpickles a payload only if it is for a run that
is still waiting."""

from __future__ import annotations

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.pickles import PickleCanary
from wove_http_dev.protocol import frames as wire


@family.should(
    "19",
    sources.UNTRUSTED_PICKLES,
    scenario="a correct answer that also has a task_result, a task_error, a log and a run_task"
    " frame for a run that does not exist, whose pickles record that they were loaded",
    expected="the task's result; those pickles are not loaded",
)
def foreign_pickles_not_loaded(check: CaseContext) -> str:
    """A payload is unpickled only for the run that waits for it."""
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
