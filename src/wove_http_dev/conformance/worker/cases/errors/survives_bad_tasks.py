"""Error cases about tasks that fail in unusual ways: each is answered with a frame that ends its
run, and the service keeps serving."""

from __future__ import annotations

from wove_http_dev.conformance.worker import answers, commands, sources, tasks
from wove_http_dev.conformance.worker.cases.errors import errors
from wove_http_dev.conformance.worker.cases.errors.error_frames import failed, loadable
from wove_http_dev.conformance.worker.context import CaseContext

OUTCOME = "one task_error; the service keeps serving"


@errors.must(
    "03",
    sources.EVENTS,
    scenario="a task sent without a required argument, and one sent with an unknown argument",
    expected=OUTCOME,
)
def wrong_arguments(check: CaseContext) -> str:
    """If the arguments do not fit the function, the run ends in a task_error."""
    failed(check, "a task that lacks an argument", tasks.echo, {})
    failed(check, "a task with an argument too many", tasks.echo, {"value": 1, "more": 2})
    return "task_error"


@errors.must(
    "04",
    sources.CONTRACT,
    scenario="a task that returns a lock, and one whose result raises ValueError when it is"
    " pickled",
    expected=OUTCOME,
)
def unpicklable_result(check: CaseContext) -> str:
    """If a result cannot be pickled, the run ends in a task_error, not in an error of the
    service."""
    failed(check, "a result whose pickling raises ValueError", tasks.result_that_refuses)
    return answers.error_text(
        failed(check, "a result that cannot be pickled", tasks.unpicklable_result)
    )


@errors.must(
    "05",
    sources.CONTRACT,
    scenario="a task that raises an exception which holds a lock, and one whose exception raises"
    " ValueError when it is pickled",
    expected="a task_error that names its message; the service keeps serving",
)
def unpicklable_exception(check: CaseContext) -> str:
    """If an exception cannot be pickled, the error is sent without exception_pickle."""
    for what, function in (
        ("an exception that cannot be pickled", tasks.unpicklable_exception),
        ("an exception whose pickling raises ValueError", tasks.exception_that_refuses),
    ):
        event = failed(check, what, function)
        loadable(check, what, event)
        text = answers.error_text(event)
        if "holds a lock" not in text:
            check.fail(f"the task_error for {what} does not hold its message: {text}")
    return text


@errors.must(
    "07",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: sent as an exception, it ends the caller's program",
    scenario="tasks that raise SystemExit, KeyboardInterrupt, GeneratorExit and BaseException",
    expected="a task_error each, without such an exception in exception_pickle; the service keeps"
    " serving",
)
def system_exit(check: CaseContext) -> str:
    """A task that calls sys.exit() or raises KeyboardInterrupt does not end the service."""
    for name in ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "BaseException"):
        what = f"a task that raises {name}"
        event = failed(check, what, tasks.fail_with, {"name": name})
        exception = loadable(check, what, event)
        if exception is not None and not isinstance(exception, Exception):
            check.fail(
                f"{what}: exception_pickle holds a {type(exception).__name__}, which ends or"
                " cancels the caller's program when Wove raises it"
            )
    return "task_error each time"


@errors.must(
    "09",
    f"{sources.CONTRACT}; {sources.STDIO}",
    scenario="an async task that raises asyncio.CancelledError, without a cancel_task",
    expected="a task_error, or task_cancelled, which Wove's own runtime sends; the service keeps"
    " serving",
)
def cancelled_error(check: CaseContext) -> str:
    """A task that raises CancelledError without a cancel_task gets a terminal frame too
    (CancelledError is not a subclass of Exception)."""
    what = "a task that raises CancelledError without a cancel_task"
    event = check.terminal(commands.run_frame(tasks.cancel_itself), what)
    if event.get("type") == "task_result":
        check.fail(f"{what} was answered with 'task_result'")
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
        ("a callable_pickle that holds a number", tasks.pickled(5), None),
        ("an args_pickle that holds a list", tasks.nothing, [1, 2]),
    ):
        answer = check.ask(what, commands.encode(commands.run_frame(function, args)))
        if 400 <= answer.status < 500:
            continue
        event = check.terminal_in(answer, what)
        if event.get("type") != "task_error":
            check.fail(f"{what} was answered with {event.get('type')!r}", expected="task_error")
    check.still_serves("broken pickles")
    return "rejected"


@errors.must(
    "12",
    sources.CONTRACT,
    scenario="a callable_pickle that calls sys.exit(3) when it is loaded",
    expected="a task_error or a 4xx status; the service keeps serving",
)
def exit_on_load(check: CaseContext) -> str:
    """A pickle that raises SystemExit when it is loaded ends only its own run."""
    what = "a pickle that calls sys.exit() when loaded"
    payload = tasks.pickled(tasks.OnLoad("__import__('sys').exit(3)"))
    answer = check.ask(what, commands.encode(commands.run_frame(payload)))
    if not 400 <= answer.status < 500:
        event = check.terminal_in(answer, what)
        if event.get("type") != "task_error":
            check.fail(f"{what} was answered with {event.get('type')!r}", expected="task_error")
    check.still_serves(what)
    return f"HTTP {answer.status}"


@errors.must(
    "14",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: sent as an exception, it ends the caller's program",
    scenario="async tasks that raise SystemExit and KeyboardInterrupt, and an async task after"
    " each",
    expected="a task_error each; the next async task runs",
)
def async_system_exit(check: CaseContext) -> str:
    """A coroutine that calls sys.exit() ends only its own run, not the event loop of other runs."""
    for name in ("SystemExit", "KeyboardInterrupt"):
        what = f"an async task that raises {name}"
        failed(check, what, tasks.fail_with_async, {"name": name})
        frame = commands.run_frame(tasks.echo_async, {"value": name})
        event = check.terminal(frame, f"an async task after {what}")
        if answers.result_of(event) != name:
            check.fail(f"after {what}, the next async task gave a wrong result")
    return "task_error each time"


@errors.must(
    "15",
    sources.CONTRACT,
    scenario="a task that raises an exception whose __str__ raises",
    expected=OUTCOME,
)
def exception_without_text(check: CaseContext) -> str:
    """An exception whose __str__ raises is answered like any other."""
    what = "an exception whose __str__ raises"
    return answers.error_text(failed(check, what, tasks.fail_without_text))
