"""Run cases about how long a run may take."""

from __future__ import annotations

import time

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import (
    answers,
    commands,
    pickles,
    sources,
    tasks,
    unusual_tasks,
)
from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.cases.run import run
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer

LONG = 2.2
"""Seconds that the runs last: longer than a time limit that was only meant for short tasks."""
DELIVERY_TIMEOUT = 300.0
"""The delivery_timeout of two of the runs in seconds. Taken for milliseconds, it ends within
:data:`LONG`."""
STARTING = 0.3
"""Seconds until no further run counts as started: a service may run fewer at a time."""


@run.must(
    "20",
    f"{sources.CONTRACT}; delivery_timeout is Wove's, which sends a cancel_task",
    scenario=f"a sync and an async task that last {LONG:g} s, and runs whose argument takes as long"
    " to be loaded, or whose result to be pickled; all at the same time, the first two with a"
    f" delivery_timeout of {DELIVERY_TIMEOUT:g} s",
    expected="the result of each",
)
def takes_its_time(check: CaseContext) -> str:
    """A run may take seconds: only a cancel_task ends it."""
    callbacks = [check.callback() for _ in range(4)]
    one, two, three, four = (callback.address for callback in callbacks)
    value = pickles.WaitingOnLoad(three, callbacks[2].token)
    late = pickles.in_coroutine(unusual_tasks.result_that_waits, four)
    frames = {
        "a sync task": commands.run_frame(tasks.hold, one),
        "an async task": commands.run_frame(tasks.hold_async, two),
        "the loading of an argument": commands.run_frame(tasks.echo, {"value": value}),
        "the pickling of a result": commands.run_frame(*late),
    }
    for what in ("a sync task", "an async task"):
        frames[what]["delivery"]["delivery_timeout"] = DELIVERY_TIMEOUT
    posts = {what: check.post_later(frame) for what, frame in frames.items()}
    runs = list(zip(posts.items(), callbacks, strict=True))
    began = time.monotonic()
    while not any(callback.arrived(0.0) for callback in callbacks):
        if time.monotonic() > began + check.patience:
            check.fail(f"no run started within {check.patience:g} s", late=True)
        callbacks[0].arrived(STARTING / 10)
    ends = time.monotonic() + check.silence(STARTING)
    started = [each for each in runs if each[1].arrived(max(0.0, ends - time.monotonic()))]
    began, ends = time.monotonic(), time.monotonic() + LONG * check.session.silence
    for (what, post), _ in started:
        if post.done(max(0.0, ends - time.monotonic())):
            _ended_early(check, what, post, time.monotonic() - began)
    for callback in callbacks:
        callback.release()
    for (what, post), _ in started:
        _required(check, what, post)
    return f"{len(started)} results"


def _ended_early(
    check: CaseContext, what: str, post: Background[HttpResponse], seconds: float
) -> None:
    """Fail the case: the run was answered while ``what`` still went on."""
    try:
        seen = post.result(0.0).shown()
    except NoAnswer as exc:
        seen = str(exc)
    check.fail(
        f"before the checker let {what} end, within {seconds:.1f} s, its run was answered: {seen}"
    )


def _required(check: CaseContext, what: str, post: Background[HttpResponse]) -> None:
    """Require that the run of ``post``, which was released, ends in a task_result."""
    try:
        event = check.terminal_in(post.result(check.patience), f"a run with {what} that took long")
    except NoAnswer as exc:
        raise CaseFailed(f"{what} that took long: {exc}") from exc
    if event.get("type") != "task_result":
        error = answers.error_text(event)
        check.fail(f"a run with {what} that took long ended in {event.get('type')!r}: {error}")
