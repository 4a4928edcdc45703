"""Cases about errors raised by a task: the author of the weave sees everything that the worker sent
about the error."""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.errors import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.waits import attempt
from wove_http_dev.faults.events import UnpicklableException
from wove_http_dev.weave_outcome import WeaveOutcome

DISK_FULL: dict[str, Any] = {
    "kind": "DiskFull",
    "message": "no space left",
    "source": "task",
    "retryable": False,
}


def _answered_with_error(check: CaseContext, error: Any) -> WeaveOutcome:
    worker = check.worker()
    worker.stub("task", events=[{"type": "task_error", "error": error}])
    return check.expect_error(check.run_one_weave(worker), "a task_error")


@family.must(
    "14",
    sources.TASK_ERRORS,
    scenario='tasks, sync and async, that raise ValueError("boom 42")',
    expected="that ValueError",
)
def exception_of_the_task(check: CaseContext) -> str:
    """An exception of the task arrives with its type and message."""

    def sync_task() -> None:
        raise ValueError("boom 42")

    async def async_task() -> None:
        raise ValueError("boom 42")

    async def script(remote: Remote) -> list[WeaveOutcome]:
        return [await attempt(remote(sync_task)), await attempt(remote(async_task))]

    for outcome in check.run_script(check.worker(), script):
        check.expect_error(outcome, "a task that raised")
        if not isinstance(outcome.error, ValueError) or "boom 42" not in str(outcome.error):
            check.fail(f"the task raised ValueError: boom 42, but its author sees {outcome}")
    return str(outcome)


@family.must(
    "15",
    sources.TASK_ERRORS,
    scenario="task_errors without an exception, one with an error object, one with a text as error",
    expected="EnvironmentExecutionError with that object as payload, and an error with that text",
)
def error_without_exception(check: CaseContext) -> str:
    """An error sent as JSON without a pickled exception arrives: an object with its message and
    payload, a text as the message."""
    from wove.environment import EnvironmentExecutionError

    outcome = _answered_with_error(check, DISK_FULL)
    has_message = "no space left" in outcome.text
    if not isinstance(outcome.error, EnvironmentExecutionError) or not has_message:
        check.fail(f"the error object of a task_error was lost: {outcome}")
    if outcome.payload.get("kind") != "DiskFull":
        check.fail(f"the payload of the error is not the worker's: {dict(outcome.payload)!r}")
    text = DISK_FULL["message"]
    failed = _answered_with_error(check, text)
    if text not in failed.text:
        check.fail(f"the error of a task_error was the text {text!r}, and the run has {failed}")
    return str(outcome)


@family.should(
    "16",
    sources.TASK_ERRORS,
    scenario="a task_error whose exception does not unpickle, and whose error object describes it",
    expected="the message of the error object",
)
def unreadable_exception(check: CaseContext) -> str:
    """If a task's exception cannot be unpickled, the error object is used instead."""
    worker = check.worker()
    worker.inject(UnpicklableException())
    outcome = check.expect_error(check.run_one_weave(worker), "a task_error")
    if "the real error" not in outcome.text:
        check.fail(f"the task's real error was lost: its author sees {outcome}")
    return str(outcome)


@family.must(
    "20",
    sources.TASK_ERRORS,
    scenario="a task_error whose error object has more fields than kind and message",
    expected="the worker's source, retryable and traceback in the error's payload",
)
def payload_of_the_task(check: CaseContext) -> str:
    """All fields of a task's error reach the author of the weave."""
    error = {"traceback": "File worker.py, line 7", **DISK_FULL}
    outcome = _answered_with_error(check, error)
    for name, value in error.items():
        found = outcome.payload.get(name)
        if found != value:
            check.fail(f"the task's error has {name}: {value!r}, but its author sees {found!r}")
    return str(dict(outcome.payload))
