"""Error cases about what a task_error contains: the run it belongs to and the exception that the
task raised, but no exception that would harm the weave.

How Wove's executor treats an exception in an answer was measured on wove 2.0.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wove_http_dev.conformance.worker import (
    answers,
    commands,
    pickles,
    sources,
    tasks,
    unusual_tasks,
)
from wove_http_dev.conformance.worker.cases.errors import errors
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.unpickling import Refused, Unloadable, brief, load

PURPOSE = "on purpose"
FIELDS = ("kind", "message", "traceback", "retryable", "source")


def each_way(function: Any, args: Any = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield frames that run ``function`` and a coroutine that calls it, each with what to add to
    its description in messages."""
    yield "", commands.run_frame(function, args)
    yield " (async)", commands.run_frame(*pickles.in_coroutine(function, args))


def failed(check: CaseContext, what: str, function: Any, args: Any = None) -> answers.Event:
    """Run ``function``, require that the answer is a ``task_error`` and that the next task runs,
    and return the ``task_error`` frame. ``what`` describes the task in messages."""
    event = _error(check, what, commands.run_frame(function, args))
    check.still_serves(what)
    return event


def failed_each_way(
    check: CaseContext, what: str, function: Any, args: Any = None
) -> list[tuple[str, answers.Event]]:
    """Do what :func:`failed` does, for ``function`` and for a coroutine that calls it. Return both
    ``task_error`` frames, each with its description for messages."""
    found = [
        (what + way, _error(check, what + way, frame)) for way, frame in each_way(function, args)
    ]
    check.still_serves(what)
    return found


def _error(check: CaseContext, what: str, frame: dict[str, Any]) -> answers.Event:
    event = check.terminal(frame, what)
    if event.get("type") != "task_error":
        check.fail(f"{what} was answered with {event.get('type')!r}", expected="task_error")
    return event


def loadable(check: CaseContext, what: str, event: answers.Event) -> BaseException | None:
    """Return the exception in ``event``, or ``None`` if there is none that the checker builds. The
    case fails if Wove could not load it."""
    try:
        return answers.exception_of(event)
    except Unloadable as exc:
        check.fail(
            f"{what}: exception_pickle: {exc}; Wove then shows this instead of the task's error"
        )


@errors.must(
    "01",
    sources.EVENTS,
    scenario="a task that raises ValueError, sync and async",
    expected="a task_error that names ValueError and its message; if there is an exception_pickle,"
    " the same exception in it",
)
def task_exception(check: CaseContext) -> str:
    """An exception in a task is answered with a task_error that names it."""
    for what, event in failed_each_way(check, "a task that raises ValueError", tasks.fail):
        text = answers.error_text(event)
        if PURPOSE not in text or "ValueError" not in text:
            check.fail(f"{what}: the task_error does not name it and its message: {text}")
        _same_exception(check, what, event)
    return text


def _same_exception(check: CaseContext, what: str, event: answers.Event) -> None:
    """Require that ``exception_pickle``, if ``event`` has one, unpickles to the exception that the
    task raised, because Wove raises it in the weave."""
    if "exception_pickle" not in event:
        return
    try:
        seen = load(event["exception_pickle"])
    except (Refused, Unloadable) as exc:
        check.fail(f"{what}: exception_pickle: {exc}, where a plain ValueError was raised")
    if type(seen) is not ValueError or seen.args != tasks.FAILURE:
        check.fail(
            f"{what}: exception_pickle holds {brief(seen)}, where ValueError{tasks.FAILURE!r} was"
            " raised: an except clause in the weave would not catch it"
        )


@errors.should(
    "02",
    sources.EVENTS,
    scenario="a task that raises ValueError, sync and async",
    expected="an error with kind, message, traceback, retryable and source, which is 'task'",
)
def error_fields(check: CaseContext) -> str:
    """The error in a task_error is Wove's normalized error, which has five fields."""
    for what, event in failed_each_way(check, "a task that raises ValueError", tasks.fail):
        error = answers.error_value(event)
        if not isinstance(error, dict):
            kind = {str: "a string", type(None): "missing"}.get(type(error), type(error).__name__)
            check.fail(f"{what}: error is {kind}, not an object with {', '.join(FIELDS)}")
        lacking = [name for name in FIELDS if name not in error]
        if lacking:
            check.fail(f"{what}: the error lacks {', '.join(lacking)}")
        if error["kind"] != "ValueError":
            check.fail(f"{what}: the error's kind is {error['kind']!r:.80}, not 'ValueError'")
        if error["source"] != "task":
            check.fail(
                f"{what}: the error's source is {error['source']!r:.80}, where the task raised it:"
                " 'task' (the other sources say that it did not run to its end)"
            )
    return "all five"


@errors.should(
    "06",
    f"{sources.EXECUTOR}: it hides the real error",
    scenario="tasks that raise an exception whose pickle cannot be loaded, or calls sys.exit() when"
    " it is loaded; sync and async",
    expected="a task_error without exception_pickle that names the message",
)
def exception_that_does_not_load(check: CaseContext) -> str:
    """An exception is sent in exception_pickle only if the pickle can be loaded again; otherwise
    only the error is sent."""
    for kind, function in (
        ("an exception that pickles but does not load", tasks.exception_that_does_not_load),
        ("an exception that exits when it is loaded", unusual_tasks.exception_that_exits_on_load),
    ):
        for what, event in failed_each_way(check, kind, function):
            loadable(check, what, event)
            _require_no_exit(check, what, event)
            text = answers.error_text(event)
            if "does not load" not in text:
                check.fail(f"the task_error for {what} does not hold its message: {text}")
    return text


def _require_no_exit(check: CaseContext, what: str, event: answers.Event) -> None:
    """Require that ``exception_pickle``, if ``event`` has one, does not name ``sys.exit``."""
    if "exception_pickle" not in event:
        return
    try:
        load(event["exception_pickle"])
    except Refused as exc:
        if "sys.exit" in str(exc):
            check.fail(f"{what}: exception_pickle calls sys.exit() in the program that loads it")
    except Unloadable:
        return


@errors.should(
    "08",
    f"{sources.EXECUTOR}: Python 3.11 and later cancel the whole weave for it",
    scenario="tasks that raise TimeoutError and StopIteration, and an exception whose pickle loads"
    " as TimeoutError; sync and async",
    expected="a task_error each, without such an exception in exception_pickle",
)
def timeout_error(check: CaseContext) -> str:
    """A TimeoutError or StopIteration is sent as an error, without exception_pickle."""
    for kind, function, name in (
        ("a task that raises TimeoutError", tasks.fail_with, "TimeoutError"),
        ("a task that raises StopIteration", tasks.fail_with, "StopIteration"),
        (
            "an exception whose pickle loads as TimeoutError",
            *(unusual_tasks.exception_that_loads_as, "TimeoutError"),
        ),
    ):
        for what, event in failed_each_way(check, kind, function, {"name": name}):
            exception = loadable(check, what, event)
            if isinstance(exception, (TimeoutError, StopIteration)):
                check.fail(f"{what}: exception_pickle holds it, and the weave is cancelled instead")
    return "task_error each time"


@errors.should(
    "13",
    sources.EVENTS,
    scenario="a task that raises ValueError with a message that is not ASCII",
    expected="the same message in the task_error",
)
def message_in_letters(check: CaseContext) -> str:
    """An error's message keeps its non-ASCII characters."""
    what = "a task that raises ValueError"
    event = failed(check, what, tasks.fail_in_letters)
    said = [answers.error_payload(event).get("message")]
    said += getattr(loadable(check, what, event), "args", ())
    letters = "größe \N{CJK UNIFIED IDEOGRAPH-6F22}"
    if not any(isinstance(text, str) and letters in text for text in said):
        check.fail(
            f"the message came back as {brief(said[0])}, without its non-ASCII letters ({letters})"
        )
    return brief(said[0])


@errors.must(
    "16",
    sources.CONTRACT,
    scenario="a task that raises ValueError, sync and async, with a run_id and task_id chosen by"
    " this check",
    expected="both ids, unchanged, in every event frame",
)
def error_ids(check: CaseContext) -> str:
    """A task_error has its run_id: without it the weave would never end."""
    for function, args in ((tasks.fail, None), (tasks.fail_with_async, {"name": "ValueError"})):
        frame = commands.run_frame(function, args, task_id="render_report")
        for event in check.events(frame, "a task that raises ValueError"):
            for name in ("run_id", "task_id"):
                if event.get("type") != "log" and event.get(name) != frame[name]:
                    seen = f"{event[name]!r:.100}" if name in event else ""
                    has = f"has the {name} {seen}" if seen else f"lacks {name}"
                    check.fail(f"the {event.get('type')!r} frame of a task that failed {has}")
    return "unchanged"
