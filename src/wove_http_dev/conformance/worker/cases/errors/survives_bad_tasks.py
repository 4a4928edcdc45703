"""Error cases about tasks that fail in unusual ways: each is answered with a frame that ends its
run, and the service keeps serving."""

from __future__ import annotations

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
from wove_http_dev.conformance.worker.cases.errors.error_frames import (
    failed,
    failed_each_way,
    loadable,
)
from wove_http_dev.conformance.worker.context import CaseContext

OUTCOME = "one task_error; the service keeps serving"


@errors.must(
    "03",
    sources.EVENTS,
    scenario="tasks, sync and async, sent without a required argument, and with an unknown one",
    expected=OUTCOME,
)
def wrong_arguments(check: CaseContext) -> str:
    """If the arguments do not fit the function, the run ends in a task_error."""
    for kind, function in (("a", tasks.echo), ("an async", tasks.echo_async)):
        failed(check, f"{kind} task that lacks an argument", function, {})
        failed(check, f"{kind} task with an argument too many", function, {"value": 1, "more": 2})
    return "task_error"


@errors.must(
    "04",
    sources.CONTRACT,
    scenario="tasks, sync and async, that return a lock, a list that is nested too deeply, and"
    " results that raise ValueError, SystemExit or KeyboardInterrupt when they are pickled",
    expected=OUTCOME,
)
def unpicklable_result(check: CaseContext) -> str:
    """If a result cannot be pickled, the run ends in a task_error, not in an error of the
    service."""
    what = "a result that cannot be pickled"
    found = failed_each_way(check, what, tasks.unpicklable_result)
    for name in ("ValueError", "SystemExit", "KeyboardInterrupt"):
        what = f"a result whose pickling raises {name}"
        failed_each_way(check, what, unusual_tasks.result_whose_pickling_raises, {"name": name})
    failed_each_way(check, "a result that is nested too deeply", unusual_tasks.deep_result)
    return answers.error_text(found[0][1])


@errors.must(
    "05",
    sources.CONTRACT,
    scenario="tasks, sync and async, that raise an exception which holds a lock, and exceptions"
    " that raise ValueError or SystemExit when they are pickled",
    expected="a task_error that names its message; the service keeps serving",
)
def unpicklable_exception(check: CaseContext) -> str:
    """If an exception cannot be pickled, the error is sent without exception_pickle."""
    pickling = unusual_tasks.exception_whose_pickling_raises
    for kind, function, args in (
        ("an exception that cannot be pickled", tasks.unpicklable_exception, None),
        ("an exception whose pickling raises ValueError", pickling, {"name": "ValueError"}),
        ("an exception whose pickling raises SystemExit", pickling, {"name": "SystemExit"}),
    ):
        for what, event in failed_each_way(check, kind, function, args):
            loadable(check, what, event)
            text = answers.error_text(event)
            if "holds a lock" not in text:
                check.fail(f"the task_error for {what} does not hold its message: {text}")
    return text


EXITS = ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException")


@errors.must(
    "07",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: sent as an exception, it ends the caller's program",
    scenario=f"tasks that raise {', '.join(EXITS)}, and an exception whose pickle loads as"
    " SystemExit",
    expected="a task_error each, without such an exception in exception_pickle; the service keeps"
    " serving",
    alone=True,
)
def system_exit(check: CaseContext) -> str:
    """A task that calls sys.exit() or raises KeyboardInterrupt does not end the service."""
    for name in EXITS:
        _exits(check, f"a task that raises {name}", tasks.fail_with, name)
    what = "a task that raises an exception whose pickle loads as SystemExit"
    _exits(check, what, unusual_tasks.exception_that_loads_as, "SystemExit")
    return "task_error each time"


def _exits(check: CaseContext, what: str, function: Any, name: str) -> None:
    """Run ``function`` with the argument ``name``, and require a ``task_error`` without an
    exception that would end or cancel the caller's program. ``what`` describes the task."""
    event = failed(check, what, function, {"name": name})
    exception = loadable(check, what, event)
    if exception is not None and not isinstance(exception, Exception):
        check.fail(
            f"{what}: exception_pickle holds a {type(exception).__name__}, which ends or"
            " cancels the caller's program when Wove raises it"
        )


@errors.must(
    "09",
    f"{sources.CONTRACT}; {sources.STDIO}",
    scenario="without a cancel_task: tasks that raise asyncio.CancelledError, sync and async, an"
    " async task that cancels itself, and a result whose pickling raises it",
    expected="a task_error, or task_cancelled, which Wove's own runtime sends; the service keeps"
    " serving",
    alone=True,
)
def cancelled_error(check: CaseContext) -> str:
    """A task that raises CancelledError without a cancel_task gets a terminal frame too
    (CancelledError is not a subclass of Exception)."""
    pickling = unusual_tasks.result_whose_pickling_raises
    for what, function, args in (
        ("an async task that raises CancelledError", tasks.cancel_itself, None),
        ("a sync task that raises CancelledError", unusual_tasks.fail_cancelled, None),
        ("an async task that cancels itself", unusual_tasks.cancel_own_task, None),
        ("a result whose pickling raises CancelledError", pickling, {"name": "CancelledError"}),
    ):
        event = check.terminal(commands.run_frame(function, args), f"{what}, without a cancel_task")
        if event.get("type") == "task_result":
            check.fail(f"{what}, without a cancel_task, was answered with 'task_result'")
        check.value(tasks.echo_async, {"value": 1})
        check.still_serves(what)
    return str(event.get("type"))


@errors.must(
    "10",
    sources.CONTRACT,
    scenario="a callable pickled by name from a module that the worker does not have, and by a name"
    " that an existing module does not have",
    expected="a task_error that names what is missing; the service keeps serving",
)
def unimportable_callable(check: CaseContext) -> str:
    """If a callable cannot be imported, the run ends in a task_error that says what is missing."""
    for missing, payload in (
        ("wove_conformance_no_such_name", b"cos\nwove_conformance_no_such_name\n."),
        ("wove_conformance_no_such_module", b"cwove_conformance_no_such_module\nfunction\n."),
    ):
        event = failed(check, f"a callable that cannot be imported ({missing})", payload)
        text = answers.error_text(event)
        if missing not in text:
            check.fail(f"the task_error does not name what is missing ({missing}): {text}")
    return text


@errors.must(
    "11",
    sources.CONTRACT,
    scenario="bytes that are not a pickle as callable and as arguments; a callable that is a"
    " number; arguments that are a list",
    expected="a task_error or a 4xx status each; the service keeps serving",
)
def broken_pickles(check: CaseContext) -> str:
    """A pickle that does not load, or that loads to a value of the wrong type, is answered with an
    error."""
    for what, function, args in (
        ("a callable_pickle that is not a pickle", b"\x80\x05garbage", None),
        ("an empty callable_pickle", b"", None),
        ("an args_pickle that is not a pickle", tasks.nothing, b"\x80\x05garbage"),
        ("a callable_pickle that holds a number", pickles.pickled(5), None),
        ("an args_pickle that holds a list", tasks.nothing, [1, 2]),
    ):
        _rejected(check, what, commands.run_frame(function, args))
    check.still_serves("broken pickles")
    return "rejected"


def _rejected(check: CaseContext, what: str, frame: dict[str, Any]) -> int:
    """Send ``frame``, require that it is answered with a 4xx status or a ``task_error``, and return
    the HTTP status. ``what`` describes the request in messages."""
    answer = check.ask(what, commands.encode(frame))
    if not 400 <= answer.status < 500:
        event = check.terminal_in(answer, what)
        if event.get("type") != "task_error":
            check.fail(f"{what} was answered with {event.get('type')!r}", expected="task_error")
    return answer.status


@errors.must(
    "12",
    sources.CONTRACT,
    scenario="a callable_pickle and an args_pickle that call sys.exit(3) when they are loaded",
    expected="a task_error or a 4xx status each; the service keeps serving",
    alone=True,
)
def exit_on_load(check: CaseContext) -> str:
    """A pickle that raises SystemExit when it is loaded ends only its own run."""
    payload = pickles.pickled(pickles.OnLoad("__import__('sys').exit(3)"))
    for what, frame in (
        ("a pickle that calls sys.exit() when loaded", commands.run_frame(payload)),
        (
            "an args_pickle that calls sys.exit() when loaded",
            commands.run_frame(tasks.nothing, payload),
        ),
    ):
        status = _rejected(check, what, frame)
        check.still_serves(what)
    return f"HTTP {status}"


@errors.must(
    "14",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: sent as an exception, it ends the caller's program",
    scenario=f"async tasks that raise {', '.join(EXITS)}, and an async task after each",
    expected="a task_error each, without such an exception in exception_pickle; the next async task"
    " runs",
    alone=True,
)
def async_system_exit(check: CaseContext) -> str:
    """A coroutine that calls sys.exit() ends only its own run, not the event loop of other runs."""
    for name in EXITS:
        what = f"an async task that raises {name}"
        _exits(check, what, tasks.fail_with_async, name)
        frame = commands.run_frame(tasks.echo_async, {"value": name})
        event = check.terminal(frame, f"an async task after {what}")
        if answers.result_of(event) != name:
            check.fail(f"after {what}, the next async task gave a wrong result")
    return "task_error each time"


@errors.must(
    "15",
    sources.CONTRACT,
    scenario="tasks, sync and async, that raise exceptions whose __str__ raises, whose __str__"
    " returns None, and whose __repr__ raises",
    expected=OUTCOME,
)
def exception_without_text(check: CaseContext) -> str:
    """An exception whose __str__ raises is answered like any other."""
    for what, function in (
        ("an exception whose __str__ raises", tasks.fail_without_text),
        ("an exception whose __str__ returns None", unusual_tasks.fail_with_text_that_is_none),
        ("an exception whose __repr__ raises", unusual_tasks.fail_without_repr),
    ):
        found = failed_each_way(check, what, function)
    return answers.error_text(found[0][1])
