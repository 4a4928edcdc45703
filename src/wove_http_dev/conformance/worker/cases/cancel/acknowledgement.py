"""Cancel cases about the answer to a cancel_task: in mode require_ack, task_cancelled is not sent
before the task has stopped; in mode best_effort, the answer is sent at once.

The cases do not trust the answer: the task body is connected to the checker, which sees whether the
body still runs.
"""

from __future__ import annotations

import time
from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import answers, commands, sources, tasks
from wove_http_dev.conformance.worker.cases.cancel import cancel
from wove_http_dev.conformance.worker.cases.cancel.held_run import (
    THE_ANSWER,
    HeldRun,
    await_terminal,
    require_one_outcome,
    require_readable,
    send_cancel,
    start_held,
    terminals_of,
)
from wove_http_dev.conformance.worker.context import CASE_TIME, CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

TURN = 0.05
"""Seconds in which a cancel_task reaches the service before the next one is sent."""
EARLY = 2.5
"""Seconds to wait for an acknowledgement that comes too early; longer than the grace period of most
workers."""
LATE = 6.0
"""Seconds to wait for it where the cancel_task has not been answered by then."""
AT_ONCE = 0.75
"""Seconds by which the answer to a best_effort cancel_task may be slower than one for an unknown
run."""
GRACE = 5.0
"""Seconds for which a require_ack cancel_task may wait for the end of its task, beside the time
that every answer may take; longer than the grace period of most workers."""
TRIES = 3
"""How many runs are cancelled, at most, until one cancel_task is answered at once; a busy machine
may delay one."""


def _honest(check: CaseContext, run: HeldRun, kind: str) -> str:
    """Send two require_ack cancel_task frames for ``run``, whose body runs until the checker
    releases it, and fail the case if task_cancelled is sent earlier. Return a text about what was
    seen; ``kind`` describes the body in messages."""
    frame, patience = commands.cancel_frame(run.run_id, "require_ack"), check.seconds(CASE_TIME)
    posts = {"cancel_task": check.post_later(frame, patience)}
    posts["cancel_task"].done(check.silence(TURN))
    posts["second cancel_task"] = check.post_later(frame, patience)
    began = time.monotonic()
    for name, post in {**posts, "run_task": run.post}.items():
        ends = began + (LATE if name in posts else EARLY) * check.session.silence
        if not post.done(max(0.0, ends - time.monotonic())):
            continue
        try:
            acknowledged = answers.acknowledged_cancel(
                post.result(0.0), f"the answer to the {name}"
            )
        except NoAnswer:
            continue
        if acknowledged and run.callback.alive():
            check.fail(
                f"require_ack was answered before the task had stopped: the {name} POST says"
                f" task_cancelled, and the body ({kind}) still runs"
            )
    run.callback.release()
    said: list[answers.Event] = []
    for name, post in posts.items():
        try:
            answer = post.result(check.patience)
        except NoAnswer as exc:
            raise CaseFailed(
                f"a require_ack {name}, after the task had ended: {exc}", late=True
            ) from exc
        require_readable(check, answer, run.run_id)
        said += terminals_of(answer)
    event = await_terminal(check, run, "after a require_ack cancel_task and the end of the task")
    require_one_outcome(check, run, said, event, "require_ack")
    return f"cancel_task: {answer.shown()}; run_task: {event.get('type')}"


@cancel.must(
    "06",
    f"{sources.ENVIRONMENTS}; {sources.EVENTS}: task_cancelled means that it completed",
    scenario="two require_ack cancel_task frames for a sync task that keeps running, pinged by the"
    " checker, which then ends",
    expected="no task_cancelled in any answer while the body answers pings; one outcome in all",
)
def require_ack_honest(check: CaseContext) -> str:
    """With require_ack, task_cancelled is sent only after the task's body has really stopped."""
    return _honest(check, start_held(check, tasks.hold), "sync")


@cancel.must(
    "07",
    f"{sources.ENVIRONMENTS}; {sources.EVENTS}: task_cancelled means that it completed",
    scenario="two require_ack cancel_task frames for an async task that keeps running after it is"
    " cancelled, and then ends",
    expected="no task_cancelled in any answer while the body answers pings; one outcome in all",
)
def require_ack_honest_async(check: CaseContext) -> str:
    """task_cancelled is not sent just because a coroutine was asked to stop: it may continue."""
    return _honest(check, start_held(check, tasks.hold_stubborn), "async, not stopping at once")


@cancel.should(
    "08",
    sources.ENVIRONMENTS,
    scenario="a require_ack cancel_task for an async task that stops when it is cancelled",
    expected="task_cancelled in the answer to the run_task, and no contradiction in the answer to"
    " the cancel_task; the body has stopped",
)
def require_ack_acknowledged(check: CaseContext) -> str:
    """With require_ack, a task that can be stopped is stopped and acknowledged."""
    run = start_held(check, tasks.hold_async)
    answer = send_cancel(check, run.run_id, "require_ack")
    acknowledged = answers.acknowledged_cancel(answer, THE_ANSWER)
    if not run.callback.ended(check.patience):
        check.fail("a require_ack cancel_task did not stop an async task in time", late=True)
    event = await_terminal(check, run, "after a require_ack cancel_task of an async task")
    if not acknowledged and event.get("type") != "task_cancelled":
        check.fail(
            f"neither answer says task_cancelled: {answer.shown()} and {event.get('type')!r}"
        )
    if acknowledged and event.get("type") != "task_cancelled":
        check.fail(
            f"the cancel_task is answered with task_cancelled, and the run_task with"
            f" {event.get('type')!r}"
        )
    return "acknowledged"


@cancel.should(
    "11",
    sources.ENVIRONMENTS,
    scenario="best_effort cancel_task frames for a sync task that keeps running, and for an async"
    " task that keeps running after it is cancelled",
    expected=f"an answer within {AT_ONCE:g} s, while the task keeps running",
    alone=True,
)
def best_effort_at_once(check: CaseContext) -> str:
    """A best_effort cancel_task is answered at once, without waiting for the task to end."""
    seen = [_at_once(check, function) for function in (tasks.hold, tasks.hold_stubborn)]
    return f"{max(seen):.2f} s"


def _at_once(check: CaseContext, function: Any) -> float:
    """Run ``function`` and send a best_effort cancel_task, and fail the case if its answer seems to
    wait for the task. Return the seconds that the answer took."""
    for left in reversed(range(TRIES)):
        run = start_held(check, function)
        began = time.monotonic()
        send_cancel(check, commands.new_run_id())
        usual = time.monotonic() - began
        began = time.monotonic()
        send_cancel(check, run.run_id)
        took = time.monotonic() - began
        if took - usual <= AT_ONCE or not run.callback.alive():
            break
        if left == 0:
            check.fail(
                f"a best_effort cancel_task was answered after {took:.2f} s, as if it waited for"
                f" the task, which still runs (one for an unknown run takes {usual:.2f} s)",
                late=True,
            )
        run.callback.release()
    run.callback.release()
    return took


@cancel.should(
    "21",
    f"{sources.ENVIRONMENTS}; {sources.EXECUTOR}: a weave ends only after its cancel_task",
    scenario="require_ack cancel_task frames for a sync task that keeps running, and for an async"
    " task that keeps running after it is cancelled",
    expected="a 2xx answer within 10 s, while the tasks run",
)
def require_ack_bounded(check: CaseContext) -> str:
    """A require_ack cancel_task is answered in time even if the task does not stop."""
    runs = [
        ("sync", start_held(check, tasks.hold)),
        ("async", start_held(check, tasks.hold_stubborn)),
    ]
    posts = [check.post_later(commands.cancel_frame(run.run_id, "require_ack")) for _, run in runs]
    limit = GRACE * check.session.silence + check.patience
    deadline = check.deadline(limit)
    for (kind, run), post in zip(runs, posts, strict=True):
        what = f"a require_ack cancel_task for a task ({kind}) that runs on"
        if not post.done(max(0.0, deadline.ends - time.monotonic())) and run.callback.alive():
            check.fail(
                f"{what} was not answered within {limit:g} s, as if it waited for the task's end",
                late=True,
            )
        try:
            answer = post.result(check.patience)
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc
        if not answer.ok:
            check.fail(f"{what} was answered with {answer.shown()}")
    return f"answered while {len(runs)} tasks ran"
