"""Run cases: a task gets its arguments, runs once, and its result comes back as it was.

It knows values; the frames around them are ``frames``'.
"""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.report import MUST, SHOULD, Family
from wove_http_dev.conformance.worker import commands, sources, tasks, told
from wove_http_dev.conformance.worker.check import Check
from wove_http_dev.conformance.worker.unpickling import brief

running = Family("run")
MIB = 2**20
AFTERMATH = 0.1
"""Seconds in which a second run of the same task would be noticed."""


def _same(check: Check, what: str, seen: Any, expected: Any) -> None:
    if type(seen) is not type(expected) or seen != expected:
        check.fell(f"{what}: {brief(seen)}, where {brief(expected)} was expected")


@running.case(
    "01",
    "keyword-arguments",
    MUST,
    f"{sources.EVENTS}; {sources.STDIO}",
    sent="a function with positional, keyword-only, default and ** parameters; args for all but the"
    " default",
    expected="each argument under its own name, the default filled in",
)
def keyword_arguments(check: Check) -> str:
    """The task is called with the dict in args_pickle as keyword arguments."""
    args = {"first": 1, "third": [3], "other": {"more": "é"}}
    seen = check.value(tasks.told_arguments, args)
    expected = {
        "first": 1,
        "second": "default",
        "third": [3],
        "rest": {"other": {"more": "é"}},
    }
    _same(check, "the arguments that arrived", seen, expected)
    return brief(seen)


@running.case(
    "02",
    "async-callable",
    MUST,
    sources.STDIO,
    sent="a coroutine function",
    expected="what it returned after it was awaited",
)
def async_callable(check: Check) -> str:
    """An async task is awaited."""
    _same(check, "an async task's result", check.value(tasks.echo_async, {"value": "a"}), "a")
    return "awaited"


@running.case(
    "03",
    "importable-callable",
    MUST,
    "cloudpickle sends what an importable module defines by name",
    sent="the built-in dict as the callable, one argument",
    expected="the dict that it makes",
)
def importable_callable(check: Check) -> str:
    """A callable that was pickled by name is imported and called; it need not be a function."""
    _same(check, "dict(a=1)", check.value(dict, {"a": 1}), {"a": 1})
    return "{'a': 1}"


@running.case(
    "04",
    "python-values",
    MUST,
    sources.SEED,
    sent="a task that returns tuples, sets, bytes, None and a number beyond 64 bits",
    expected="equal values of the same types",
)
def python_values(check: Check) -> str:
    """A result is a Python value and comes back as one, also where JSON has no such type."""
    _same(check, "the result", check.value(tasks.mixed_values), tasks.mixed_values())
    return "equal"


@running.case(
    "05",
    "no-result",
    MUST,
    sources.SEED,
    sent="a task that returns None",
    expected="task_result with None",
)
def no_result(check: Check) -> str:
    """A task that returns nothing is a task_result too."""
    _same(check, "the result of a task that returns nothing", check.value(tasks.nothing), None)
    return "None"


@running.case(
    "06",
    "unicode",
    MUST,
    sources.SEED,
    sent="text from several scripts, emoji, a NUL and line separators, there and back",
    expected="the same text",
)
def unicode_text(check: Check) -> str:
    """Text goes there and back unchanged."""
    text = "größe \N{CJK UNIFIED IDEOGRAPH-6F22}\N{CJK UNIFIED IDEOGRAPH-5B57} \N{PILE OF POO}"
    text += " \x00\r\n\N{LINE SEPARATOR}\N{RIGHT-TO-LEFT MARK}"
    _same(check, "the text", check.value(tasks.echo, {"value": text}), text)
    return "unchanged"


@running.case(
    "07",
    "large-payload",
    MUST,
    f"{sources.SEED} (no limit is named)",
    sent="1 MiB of argument, returned",
    expected="the same bytes",
)
def large_payload(check: Check) -> str:
    """An argument and a result of a mebibyte are nothing special."""
    _large(check, 1)
    return "1 MiB there and back"


def _large(check: Check, size: int) -> None:
    value = bytes(range(256)) * (size * MIB // 256)
    frame = commands.run_frame(tasks.echo, {"value": value})
    seen = told.result_of(check.terminal(frame), limit=len(value) + MIB)
    if seen != value:
        check.fell(f"{size} MiB came back changed: {brief(seen)}")


@running.case(
    "08",
    "very-large-payload",
    SHOULD,
    f"{sources.SEED} (no limit is named)",
    sent="6 MiB of argument, returned",
    expected="the same bytes",
)
def very_large_payload(check: Check) -> str:
    """Data frames and images fit as well."""
    _large(check, 6)
    return "6 MiB there and back"


@running.case(
    "09",
    "runs-once",
    MUST,
    sources.CONTRACT,
    sent="a task that reports to the checker",
    expected="one report",
)
def runs_once(check: Check) -> str:
    """A task that was sent once runs once, and has run when its result is told."""
    visit = check.visit()
    check.terminal(commands.run_frame(tasks.knock, visit.address))
    if not visit.arrived(0.5):
        check.fell("a result was told, but the task did not run")
    if visit.arrived(AFTERMATH, times=2):
        check.fell(f"the task was sent once and ran {visit.count} times")
    return "once"
