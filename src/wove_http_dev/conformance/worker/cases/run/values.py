"""Run cases about values: the task gets its arguments, and the weave gets the task's result, both
unchanged."""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import answers, commands, pickles, sources, tasks
from wove_http_dev.conformance.worker.cases.run import run
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.unpickling import brief

MIB = 2**20
HUGE = 13
"""MiB of a value that makes a request or answer of more than 16 MiB, the limit of some
frameworks."""
NAMES = (
    *("self", "func", "function", "fn", "f", "args", "kwargs", "callable", "task", "name", "run"),
    *("loop", "frame", "timeout", "delivery", "body", "run_id", "task_id", "value"),
)
"""Names of arguments that may collide with names in the worker's own code."""


def _same(check: CaseContext, what: str, seen: Any, expected: Any) -> None:
    if type(seen) is not type(expected) or seen != expected:
        check.fail(f"{what}: {brief(seen)}, where {brief(expected)} was expected")


@run.must(
    "01",
    f"{sources.EVENTS}; {sources.STDIO}",
    scenario="a function with positional, keyword-only, default and ** parameters; arguments for"
    " all but the default",
    expected="each argument under its own name, the default filled in",
)
def keyword_arguments(check: CaseContext) -> str:
    """The task is called with the dict in args_pickle as keyword arguments."""
    args = {"first": 1, "third": [3], "other": {"more": "é"}}
    expected = {
        "first": 1,
        "second": "default",
        "third": [3],
        "rest": {"other": {"more": "é"}},
    }
    for kind, function in (
        ("", tasks.arguments_received),
        (" at an async task", tasks.arguments_received_async),
    ):
        seen = check.value(function, args)
        _same(check, f"the arguments that arrived{kind}", seen, expected)
    return brief(seen)


@run.must(
    "02",
    sources.STDIO,
    scenario="a coroutine function, a function that returns a coroutine, and an object whose"
    " __call__ is a coroutine function",
    expected="the result of the awaited coroutine, each time",
)
def async_callable(check: CaseContext) -> str:
    """If a task returns a coroutine, it is awaited, for every kind of callable."""
    for what, function in (
        ("a coroutine function", tasks.echo_async),
        ("a plain function that returns a coroutine", tasks.echo_later),
        ("an object whose __call__ is a coroutine function", pickles.async_object()),
    ):
        _returned(check, function, {"value": "a"}, "a", f"{what}: ")
    return "awaited"


def _returned(check: CaseContext, function: Any, args: Any, value: Any, what: str = "") -> None:
    """Run ``function`` with ``args`` and require that the service sends its return value,
    ``value``, unchanged. The message of a failure begins with ``what``."""
    try:
        seen = check.value(function, args)
    except CaseFailed as exc:
        raise CaseFailed(f"{what}{exc.actual}, where {brief(value)} was returned") from exc
    if type(seen) is not type(value) or seen != value:
        check.fail(f"{what}a result came back as {brief(seen)} where {brief(value)} was returned")


@run.must(
    "03",
    "cloudpickle sends what an importable module defines by name",
    scenario="the built-in dict as the callable, one argument",
    expected="the dict that it makes",
)
def importable_callable(check: CaseContext) -> str:
    """A callable that was pickled by name is imported and called, even if it is not a function."""
    _same(check, "dict(a=1)", check.value(dict, {"a": 1}), {"a": 1})
    return "{'a': 1}"


@run.must(
    "04",
    sources.PROTOCOL,
    scenario="tasks that return tuples, sets, bytes, a dict with a number as key, a number of more"
    " than 64 bits, and all empty and false values: 0, '', [], {}, (), False",
    expected="equal values of the same types",
)
def python_values(check: CaseContext) -> str:
    """A result keeps its Python type, even if JSON has no such type."""
    values: tuple[Any, ...] = ((1, (2,)), {7: None}, b"\x00\xff", 0, "", [], {}, (), False)
    for value in values:
        _returned_by_both(check, value)
    _returned(check, tasks.mixed_values, None, tasks.mixed_values())
    return "equal"


def _returned_by_both(check: CaseContext, value: Any) -> None:
    """Require that ``value`` comes back unchanged from a task and from an async one."""
    _returned(check, tasks.echo, {"value": value}, value)
    _returned(check, tasks.echo_async, {"value": value}, value, "an async task: ")


@run.must(
    "05",
    sources.PROTOCOL,
    scenario="a task that returns None",
    expected="task_result with None",
)
def no_result(check: CaseContext) -> str:
    """A task that returns nothing is answered with a task_result of ``None``."""
    for kind, function in (("a", tasks.nothing), ("an async", tasks.nothing_async)):
        what = f"the result of {kind} task that returns nothing"
        _same(check, what, check.value(function), None)
    return "None"


@run.must(
    "06",
    sources.PROTOCOL,
    scenario="a task that returns its argument: text in several scripts, emoji, a NUL, line"
    " separators",
    expected="the same text",
)
def unicode(check: CaseContext) -> str:
    """Text is passed to the task and returned unchanged."""
    text = "größe \N{CJK UNIFIED IDEOGRAPH-6F22}\N{CJK UNIFIED IDEOGRAPH-5B57} \N{PILE OF POO}"
    text += " \x00\r\n\N{LINE SEPARATOR}\N{RIGHT-TO-LEFT MARK}"
    _same(check, "the text", check.value(tasks.echo, {"value": text}), text)
    seen = check.value(tasks.echo_async, {"value": text})
    _same(check, "the text of an async task", seen, text)
    return "unchanged"


@run.must(
    "07",
    f"{sources.PROTOCOL} (no limit is named)",
    scenario="a task that returns its argument, 1 MiB of bytes, and an async one",
    expected="the same bytes, or HTTP 413: run.08 is about limits",
)
def large_payload(check: CaseContext) -> str:
    """An argument and a result of 1 MiB are passed unchanged, if the service takes them."""
    for function, what in ((tasks.echo, ""), (tasks.echo_async, "an async task: ")):
        if not _large(check, 1, function, what):
            raise NotApplicable("the service has a limit for requests that is lower (HTTP 413)")
    return "1 MiB there and back"


def _large(check: CaseContext, size: int, function: Any = tasks.echo, what: str = "") -> bool:
    """Require that ``function`` returns its argument of ``size`` MiB. Return ``False`` if the
    service refuses a request of that size."""
    value = bytes(range(256)) * (size * MIB // 256)
    frame = commands.run_frame(function, {"value": value})
    answer = check.ask(f"{what}the run_task POST", commands.encode(frame))
    if answer.status == 413:
        return False
    event = check.terminal_in(answer, f"{what}the run_task POST")
    seen = answers.result_of(event, limit=len(value) + MIB)
    if seen != value:
        check.fail(f"{what}{size} MiB came back changed: {brief(seen)}")
    return True


@run.should(
    "08",
    f"{sources.PROTOCOL} (no limit is named)",
    scenario="a task that returns its argument, 6 MiB of bytes",
    expected="the same bytes",
)
def very_large_payload(check: CaseContext) -> str:
    """Larger values, such as data frames and images, are passed unchanged too."""
    if not _large(check, 6):
        check.fail("a run_task with an argument of 6 MiB was refused as too large: HTTP 413")
    return "6 MiB there and back"


@run.should(
    "13",
    f"{sources.STDIO}; it pickles with cloudpickle",
    scenario="tasks that return a lambda, and an instance of a class that the task defines",
    expected="a task_result each (the check does not load them)",
)
def result_by_value(check: CaseContext) -> str:
    """A result may contain functions and classes that cannot be imported."""
    for what, function in (
        ("a lambda", tasks.function_by_value),
        ("a lambda, asynchronously", tasks.function_by_value_async),
        ("an instance of a class that it defines", tasks.instance_by_value),
    ):
        event = check.terminal(commands.run_frame(function), f"a task that returns {what}")
        if event.get("type") != "task_result":
            check.fail(
                f"a task that returns {what} was answered with {event.get('type')!r}:"
                f" {answers.error_text(event)}"
            )
    return "task_result"


@run.must(
    "14",
    f"{sources.EVENTS}; {sources.STDIO}",
    scenario=f"arguments named {', '.join(NAMES)}",
    expected="the task receives all of them",
)
def any_argument_name(check: CaseContext) -> str:
    """A task's parameters may have any names, even names that the worker's code uses."""
    for name in NAMES:
        what = f"the names of a task's arguments, with one called {name!r}"
        try:
            _same(check, what, check.value(tasks.names_received, {name: 1}), [name])
        except CaseFailed as exc:
            raise CaseFailed(
                f"an argument called {name!r} does not reach the task: {exc.actual}"
            ) from exc
    every = dict.fromkeys(NAMES, 1)
    what = "the names of an async task's arguments"
    _same(check, what, check.value(tasks.names_received_async, every), sorted(NAMES))
    return f"{len(NAMES)} names"


@run.must(
    "15",
    sources.PROTOCOL,
    scenario="tasks that return an exception, objects that look like errors or event frames, and"
    " text that looks like JSON",
    expected="each as the task's result, unchanged",
)
def results_are_not_judged(check: CaseContext) -> str:
    """A returned value is the task's result, even if it looks like an error or an event frame."""
    values: tuple[Any, ...] = (
        {"error": "no error"},
        {"type": "task_error", "error": {"kind": "Nothing", "message": "a value"}},
        {"events": []},
        *("1", "null", "[1]", '{"a": 1}', " text \n"),
        b"text",
        float("inf"),
        2**63,
    )
    for value in values:
        _returned_by_both(check, value)
    for kind, function in (("a", tasks.echo), ("an async", tasks.echo_async)):
        event = check.terminal(commands.run_frame(function, {"value": ValueError("a value")}))
        if event.get("type") != "task_result":
            check.fail(
                f"{kind} task that returns an exception was answered with {event.get('type')!r}"
            )
    return f"{len(values) + 1} values"


@run.must(
    "16",
    sources.CONTRACT,
    scenario="a task that prints to standard output and standard error",
    expected="its result",
)
def task_that_prints(check: CaseContext) -> str:
    """A task may print; the printed text is not part of the answer."""
    _returned(check, tasks.prints, None, "printed", "a task that prints: ")
    _returned(check, tasks.prints_async, None, "printed", "an async task that prints: ")
    return "printed"


@run.must(
    "19",
    f"{sources.PROTOCOL} (no limit is named); {sources.HTTP}, 15.5.14 (413)",
    scenario=f"a task with an argument of {HUGE} MiB, and an async one that returns as much",
    expected="the task's result, or an error status or task_error that says no",
)
def huge_payload(check: CaseContext) -> str:
    """A value that is too large for the service is refused; it is not cut off, changed or left
    without an answer."""
    size = HUGE * MIB
    value = bytes(size)
    seen = []
    for what, function, args, expected in (
        (f"an argument of {HUGE} MiB", tasks.checksum, {"value": value}, tasks.checksum(value)),
        (f"a result of {HUGE} MiB", tasks.large_async, {"size": size}, value),
    ):
        body = commands.encode(commands.run_frame(function, args))
        answer = check.ask(what, body, patience=2 * check.patience)
        seen.append(f"HTTP {answer.status}")
        if answer.status >= 400:
            continue
        event = check.terminal_in(answer, what)
        if event.get("type") == "task_error":
            seen[-1] = "task_error"
        elif (result := answers.result_of(event, limit=size + MIB)) != expected:
            check.fail(f"{what} became {brief(result)}")
    check.still_serves(f"values of {HUGE} MiB")
    return ", ".join(seen)
