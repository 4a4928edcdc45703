"""Run cases about how often a task runs: exactly once for each run_id."""

from __future__ import annotations

import time
import unicodedata
import uuid
from collections.abc import Mapping
from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import (
    answers,
    commands,
    pickles,
    sources,
    stateful_tasks,
    tasks,
)
from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.cases.run import run
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.unpickling import brief
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer

AFTERMATH = 0.1
"""Seconds to wait for a second run of the same task, which should not come."""
SIDE_BY_SIDE = 0.1
"""Seconds to wait for the result of a run while another one runs; a service may run one at a
time."""
WAIT = 0.05
"""Seconds between two looks at whether a run was refused instead of begun."""


@run.must(
    "09",
    sources.CONTRACT,
    scenario="a task that reports to the checker, and an async one",
    expected="one report each",
)
def runs_once(check: CaseContext) -> str:
    """A task that was sent once runs once, before its result is sent."""
    _once(check, {"the task": tasks.report_back, "the async task": tasks.report_back_async})
    return "once"


def _once(check: CaseContext, functions: Mapping[str, Any]) -> None:
    callbacks = {}
    for what, function in functions.items():
        callbacks[what] = callback = check.callback()
        event = check.terminal(commands.run_frame(function, callback.address), what)
        if not callback.arrived(check.patience):
            check.fail(_not_run(what, event), late=True)
    # The earlier ones have had more time than this wait.
    callback.arrived(check.silence(AFTERMATH), times=2)
    for what, callback in callbacks.items():
        if (times := callback.counted()) > 1:
            check.fail(f"{what} was sent once and ran {times} times")


def _not_run(what: str, event: answers.Event) -> str:
    """Say that ``what`` was answered with ``event`` and did not run, with the error if it has
    one."""
    error = f" ({answers.error_text(event)})" if event["type"] == "task_error" else ""
    return f"{what} was answered with {event['type']!r}{error} and did not run"


@run.must(
    "10",
    f"{sources.CONTRACT}; retries are Wove's, by the task's own settings",
    scenario="tasks that report to the checker and then raise: ValueError, ConnectionError, and in"
    " a coroutine",
    expected="one report each",
)
def failed_task_runs_once(check: CaseContext) -> str:
    """A failed task is not run again, because its side effects would happen twice."""
    functions = {
        "a task that fails": tasks.report_and_fail,
        "a task that fails with a ConnectionError": tasks.report_and_lose_connection,
        "an async task that fails": tasks.report_and_fail_async,
    }
    _once(check, functions)
    return "once"


@run.should(
    "21",
    f"{sources.EXECUTOR}: a retry follows a failure, and has a new run_id and the same"
    " delivery_idempotency_key",
    scenario="a task with a delivery_idempotency_key that reports to the checker and then raises,"
    " and the same again with a new run_id",
    expected="two reports",
)
def retry_runs_again(check: CaseContext) -> str:
    """A retry of a failed task runs it again, because one that gets the old failure cannot
    succeed. Only a result may be kept for an idempotency key."""
    callback = check.callback()
    key = f"conformance:{uuid.uuid4().hex}"
    whats = ("a task that fails", "its retry, with the same delivery_idempotency_key,")
    for number, what in enumerate(whats, 1):
        frame = commands.run_frame(tasks.report_and_fail, callback.address)
        frame["delivery"]["delivery_idempotency_key"] = key
        event = check.terminal(frame, what)
        if not callback.arrived(check.patience, number):
            check.fail(_not_run(what, event), late=True)
    return "run twice"


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
    " each time, and changes its argument; another one changes its default argument, its attribute,"
    " and a variable of an enclosing function and of its module",
    expected="a different result each time, and all of that unchanged at the start of each run",
)
def same_work_twice(check: CaseContext) -> str:
    """If the same function and arguments are sent again, the task runs again, with its own copy of
    both."""
    for kind, function in (("", tasks.once_more), ("async ", tasks.once_more_async)):
        _run_again(check, kind, pickles.pickled(function))
    _call_again(check, "a", pickles.pickled(stateful_tasks.counting()))
    _call_again(check, "an async", pickles.pickled(stateful_tasks.counting_async()))
    return "run each time"


def _run_again(check: CaseContext, kind: str, function: bytes) -> None:
    args = pickles.pickled({"items": ["sent"]})
    first, second = check.value(function, args), check.value(function, args)
    for seen in (first, second):
        if not isinstance(seen, str):
            check.fail(f"a result came back as {brief(seen)} where text was returned")
    if first == second:
        check.fail(
            f"the same {kind}function and arguments, sent in a second run, were not run again: the"
            " answer has the result of the first run"
        )
    if not second.endswith(":1"):
        count = second.rpartition(":")[2]
        check.fail(
            f"the second {kind}run got a list of {count:.20} items where one was sent: the first"
            " run appended to it, and both runs got the same list"
        )


def _call_again(check: CaseContext, kind: str, function: bytes) -> None:
    for which in ("first", "second"):
        seen = check.value(function)
        if not isinstance(seen, dict):
            check.fail(f"a result came back as {brief(seen)} where a dict was returned")
        if changed := [place for place, calls in seen.items() if calls]:
            check.fail(
                f"the {which} run of a callable_pickle got {kind} function that had been called"
                f" before: {', '.join(changed)} had been changed, so the runs share one loaded"
                " function"
            )


def _alike() -> list[tuple[str, str, str]]:
    """Return pairs of run ids that differ little, each with a text that says in what."""
    mark, digits = commands.new_run_id(), str(uuid.uuid4().int)
    composed = f"gr\N{LATIN SMALL LETTER O WITH DIAERESIS}\N{LATIN SMALL LETTER SHARP S}e:{mark}"
    return [
        ("letter case", mark, mark.swapcase()),
        ("what is before the colon", f"one:{digits}4", f"two:{digits}4"),
        ("a blank at the end", f"{mark}1", f"{mark}1 "),
        ("a blank in front", f"{mark}2", f" {mark}2"),
        ("a letter at the end", mark + 300 * "x" + "a", mark + 300 * "x" + "b"),
        ("their first letter", f"a{mark}{300 * 'y'}", f"b{mark}{300 * 'y'}"),
        ("a zero in front", digits, f"0{digits}"),
        ("the form of their letters", composed, unicodedata.normalize("NFD", composed)),
        ("a percent escape", f"{mark} 3", f"{mark}%203"),
    ]


@run.must(
    "17",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: frames are delivered by run_id",
    scenario="pairs of runs at the same time whose run ids differ only in letter case, a blank, a"
    " letter after 300 others, a zero in front, composed letters, a percent escape",
    expected="each run gets its own result, or a 4xx status for a run_id that Wove could not send",
)
def similar_run_ids(check: CaseContext) -> str:
    """Two runs are the same run only if their run ids are the same text."""
    for what, first, second in _alike():
        for name, value, post in _side_by_side(check, first, second):
            said = f"two runs whose run ids differ only in {what}: the {name} one"
            try:
                answer = post.result(check.patience)
            except NoAnswer as exc:
                raise CaseFailed(f"{said}: {exc}") from exc
            if 400 <= answer.status < 500:
                continue
            seen = answers.result_of(check.terminal_in(answer, said))
            if seen != value:
                check.fail(f"{said} got {brief(seen)} where {brief(value)} was returned")
    return "each its own"


def _side_by_side(
    check: CaseContext, first: str, second: str
) -> list[tuple[str, str, Background[HttpResponse]]]:
    """Send two runs with these run ids, the second while the first one runs, if tasks can connect
    to the checker. Return for each its name, its result, and its POST."""
    callback = check.callback_if_possible()
    if callback is None:
        value, frame = "first", commands.run_frame(tasks.echo, {"value": "first"}, run_id=first)
    else:
        value = callback.token
        frame = commands.run_frame(tasks.hold, callback.address, run_id=first)
    one = check.post_later(frame)
    ends = time.monotonic() + check.patience
    while callback is not None and not callback.arrived(WAIT) and not one.done():
        if time.monotonic() > ends:
            check.fail(f"a task that waits did not start within {check.patience:g} s", late=True)
    frame = commands.run_frame(tasks.echo, {"value": "second"}, run_id=second)
    other = check.post_later(frame)
    other.done(check.silence(SIDE_BY_SIDE))
    if callback is not None:
        callback.release()
    return [("first", value, one), ("second", "second", other)]


@run.should(
    "18",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: Wove never sends a run_id twice, a proxy may",
    scenario="while a run waits, another one with the same run_id and another task; then the first"
    " one is released",
    expected="an answer to both, and the first one's own result, or an error",
)
def same_run_id_at_once(check: CaseContext) -> str:
    """A run_id that is sent again while its run is in progress does not lose the first run."""
    run_id = commands.new_run_id()
    seen = []
    for name, value, post in _side_by_side(check, run_id, run_id):
        said = f"two runs with the same run_id: the {name} one"
        try:
            answer = post.result(check.patience)
        except NoAnswer as exc:
            raise CaseFailed(f"{said}: {exc}") from exc
        seen.append(f"HTTP {answer.status}")
        if name == "first" and answer.ok:
            event = check.terminal_in(answer, said)
            if event.get("type") == "task_result" and answers.result_of(event) != value:
                check.fail(f"{said} was answered with the result of the second")
    return ", ".join(seen)
