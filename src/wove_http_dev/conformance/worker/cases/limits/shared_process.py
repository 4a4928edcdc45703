"""Limit cases about what tasks do to the process that they may share with the service: they print
much, or bytes that are no text, and leave threads and asyncio tasks. What a task changes it
restores before it ends."""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import (
    answers,
    commands,
    pickles,
    sources,
    tasks,
    unusual_tasks,
)
from wove_http_dev.conformance.worker.cases.limits import limits
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.unpickling import brief
from wove_http_dev.conformance.worker.wire import NoAnswer

MUCH, ENOUGH = 3 * 2**19, 5 * 2**17
"""How many characters a sync and an async task print to each stream in lines, and as many in one
call: more than a pipe takes that is not read, and more than a buffer of 1 MiB."""
AGAIN = 4
"""How many coroutines run after a task that leaves its thread without an event loop."""


def _returns(check: CaseContext, what: str, function: Any, args: Any, value: str) -> None:
    """Run ``function`` and require that it returns ``value``, and that a sync and an async task run
    afterwards. ``what`` describes the task in messages."""
    frame = commands.run_frame(function, args)
    try:
        seen = answers.result_of(check.terminal(frame, what))
    except CaseFailed as exc:
        raise CaseFailed(f"{what}: {exc.actual}", late=exc.late) from exc
    if seen != value:
        check.fail(f"{what} returned {value!r}, and its result came back as {brief(seen)}")
    check.still_serves(what)
    try:
        check.value(tasks.echo_async, {"value": 1})
    except CaseFailed as exc:
        raise CaseFailed(
            f"after {what}, the next async task did not run: {exc.actual}", late=exc.late
        ) from exc


@limits.must(
    "08",
    sources.CONTRACT,
    scenario=f"tasks that print {MUCH >> 10} KiB (sync) and {ENOUGH >> 10} KiB (async) in lines to"
    " standard output and as much in one call, and the same to standard error",
    expected="their results; the service keeps serving",
)
def prints_much(check: CaseContext) -> str:
    """A task may print megabytes: its output does not fill a pipe that is not read."""
    in_coroutine = pickles.in_coroutine(unusual_tasks.print_much, {"size": ENOUGH})
    for what, function, named in (
        (f"a task that prints {4 * MUCH >> 10} KiB", unusual_tasks.print_much, {"size": MUCH}),
        (f"an async task that prints {4 * ENOUGH >> 10} KiB", *in_coroutine),
    ):
        _returns(check, what, function, named, "printed")
    return "printed"


@limits.must(
    "09",
    sources.CONTRACT,
    scenario="tasks that write bytes that are not UTF-8 to standard output and standard error, and"
    f" that use asyncio.run(), {AGAIN} times with an async task after each",
    expected="their results; the service keeps serving",
)
def uses_the_process(check: CaseContext) -> str:
    """A task may write any bytes, and run an event loop of its own."""
    for what, function, value in (
        ("a task that prints bytes that are not UTF-8", unusual_tasks.print_bytes, "printed"),
        *[("a task that uses asyncio.run()", unusual_tasks.use_asyncio, "ran")] * AGAIN,
    ):
        _returns(check, what, function, None, value)
    return "results"


@limits.should(
    "10",
    sources.CONTRACT,
    scenario="tasks that return while a thread, or an asyncio task, that they started goes on; a"
    " task that closes sys.stdout, and restores it if it is the service's own; a task that changes"
    " the working directory while others run",
    expected="their results, at once; the others run",
    alone=True,
)
def leaves_something_running(check: CaseContext) -> str:
    """A run is answered when its body returns, whatever it leaves running, and what it changes
    harms no other run."""
    callback = check.callback()
    what = "a task that leaves a thread running"
    _returns(check, what, unusual_tasks.leave_thread, callback.address, "left")
    callback.release()
    _returns(check, "a task that leaves an asyncio task", unusual_tasks.leave_task, None, "left")
    what = "a task that closes sys.stdout"
    _returns(check, what, unusual_tasks.replace_output, None, "replaced")
    callback = check.callback()
    post = check.post_later(commands.run_frame(unusual_tasks.stay_elsewhere, callback.address))
    if callback.arrived(check.patience):
        check.still_serves("a task had changed the working directory")
    callback.release()
    what = "a task that changes the working directory"
    try:
        answer = post.result(check.patience)
    except NoAnswer as exc:
        raise CaseFailed(f"{what}: {exc}") from exc
    if answers.result_of(check.terminal_in(answer, what)) != "back":
        check.fail(f"{what} got a wrong result")
    return "results"
