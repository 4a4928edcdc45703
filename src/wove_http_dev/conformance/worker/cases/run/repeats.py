"""Run cases about how often a task runs: exactly once for each run_id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wove_http_dev.conformance.worker import answers, commands, sources, tasks
from wove_http_dev.conformance.worker.cases.run import run
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.unpickling import brief

AFTERMATH = 0.1
"""Seconds to wait for a second run of the same task, which should not come."""


@run.must(
    "09",
    sources.CONTRACT,
    scenario="a task that reports to the checker",
    expected="one report",
)
def runs_once(check: CaseContext) -> str:
    """A task that was sent once runs once, before its result is sent."""
    not_run = "a result was sent, but the task did not run"
    _once(check, {"the task": tasks.report_back}, not_run)
    return "once"


def _once(check: CaseContext, functions: Mapping[str, Any], not_run: str) -> None:
    callbacks = {}
    for what, function in functions.items():
        callbacks[what] = callback = check.callback()
        check.terminal(commands.run_frame(function, callback.address))
        if not callback.arrived(check.patience):
            check.fail(not_run)
    # The earlier ones have had more time than this wait.
    callback.arrived(check.silence(AFTERMATH), times=2)
    for what, callback in callbacks.items():
        if callback.count > 1:
            check.fail(f"{what} was sent once and ran {callback.count} times")


@run.must(
    "10",
    f"{sources.CONTRACT}; retries are Wove's, by the task's own settings",
    scenario="tasks that report to the checker and then raise: ValueError, ConnectionError, and in"
    " a coroutine",
    expected="one report each",
)
def failed_task_runs_once(check: CaseContext) -> str:
    """A failed task is not run again, because its side effects would happen twice."""
    not_run = "an outcome was sent, but the task did not run"
    functions = {
        "a task that fails": tasks.report_and_fail,
        "a task that fails with a ConnectionError": tasks.report_and_lose_connection,
        "an async task that fails": tasks.report_and_fail_async,
    }
    _once(check, functions, not_run)
    return "once"


@run.must(
    "11",
    f"{sources.CONTRACT}; a mapped task has many runs",
    scenario="two runs with the same task_id, one after the other, with different arguments",
    expected="each run gets its own result",
)
def one_task_twice(check: CaseContext) -> str:
    """Two runs with the same task_id are separate runs, identified by their run_id."""
    for value in ("first", "second"):
        frame = commands.run_frame(tasks.echo, {"value": value}, task_id="conformance_twice")
        seen = answers.result_of(check.terminal(frame))
        if seen == "first" != value:
            check.fail(
                "the second run of a task_id was answered with the result of the first: runs are"
                " distinguished by run_id"
            )
        if seen != value:
            check.fail(f"a result came back as {brief(seen)} where {value!r} was returned")
    return "each its own"


@run.must(
    "12",
    sources.CONTRACT,
    scenario="two runs of the same callable_pickle and args_pickle; the task returns something new"
    " each time, and changes its argument",
    expected="a different result each time, and the argument unchanged at the start of each run",
)
def same_work_twice(check: CaseContext) -> str:
    """If the same function and arguments are sent again, the task runs again, with its own copy of
    the arguments."""
    function, args = tasks.pickled(tasks.once_more), tasks.pickled({"items": ["sent"]})
    first, second = check.value(function, args), check.value(function, args)
    for seen in (first, second):
        if not isinstance(seen, str):
            check.fail(f"a result came back as {brief(seen)} where text was returned")
    if first == second:
        check.fail(
            "the same function and arguments, sent in a second run, were not run again: the answer"
            " has the result of the first run"
        )
    if not second.endswith(":1"):
        count = second.rpartition(":")[2]
        check.fail(
            f"the second run got a list of {count:.20} items where one was sent: the first run"
            " appended to it, and both runs got the same list"
        )
    return "run each time"
