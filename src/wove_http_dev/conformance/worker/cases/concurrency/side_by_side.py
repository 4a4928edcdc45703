"""Concurrency cases: the service runs tasks at the same time, and gives each run its own answer.

The checker does not measure time to see this: tasks run at the same time if all are connected to it
at once.
"""

from __future__ import annotations

import time

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import answers, commands, sources, tasks
from wove_http_dev.conformance.worker.cases.concurrency import concurrency
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.unpickling import brief
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer

MANY = 8
"""How many tasks Wove itself sends at a time on four cores (asyncio's default pool: cores + 4)."""


def side_by_side(check: CaseContext, count: int) -> str:
    """Start ``count`` tasks and require that all run before any of them ends. Return a text about
    what was seen."""
    runs = []
    for _ in range(count):
        callback = check.callback()
        frame = commands.run_frame(tasks.hold, callback.address)
        runs.append((callback, check.post_later(frame)))
    deadline = check.deadline()
    for callback, _ in runs:
        callback.arrived(max(0.0, deadline.ends - time.monotonic()))
    together = sum(callback.count > 0 for callback, _ in runs)
    for callback, _ in runs:
        callback.release()
    for _, post in runs:
        try:
            check.terminal_in(post.result(check.patience), f"one of {count} runs")
        except NoAnswer as exc:
            raise CaseFailed(f"one of {count} runs sent together: {exc}") from exc
    if together < count:
        check.fail(
            f"the runs are not parallel: of {count} tasks sent together, only {together} ran"
            f" at once in {check.patience:g} s"
        )
    return f"{count} at once"


@concurrency.must(
    "01",
    f"{sources.PROTOCOL}: a cancel_task comes while its run_task is answered",
    scenario="2 tasks that end only when both run",
    expected="both run at the same time",
    alone=True,
)
def two_at_once(check: CaseContext) -> str:
    """A second request is served while a task runs; otherwise a cancel_task could never stop it."""
    return side_by_side(check, 2)


@concurrency.should(
    "02",
    f"{sources.EXECUTOR}: delivery_timeout runs while a request waits its turn",
    scenario=f"{MANY} tasks that end only when all run",
    expected="all run at the same time",
    alone=True,
)
def many_at_once(check: CaseContext) -> str:
    """The service runs as many tasks at once as Wove sends at once."""
    return side_by_side(check, MANY)


def _own(
    check: CaseContext,
    answer: HttpResponse,
    run_id: str,
    value: object,
    what: str,
    all_values: list[object],
) -> None:
    """Require that ``answer`` is for the run ``run_id`` and has its result, ``value``.
    ``all_values`` holds the results of all runs; with it a mixed-up result is recognised. ``what``
    describes the run in messages."""
    events = check.events_in(answer, what)
    for event in events:
        if event.get("run_id", run_id) != run_id:
            check.fail(
                f"parallel runs are mixed up: {what} was answered with a frame of another run"
            )
    found = answers.terminals(events)
    if not found:
        check.fail(f"{what} was answered without a terminal frame")
    seen = answers.result_of(found[0])
    if seen != value:
        mixed_up = any(type(other) is type(seen) and other == seen for other in all_values)
        how = "parallel runs are mixed up" if mixed_up else "a wrong value"
        check.fail(f"{how}: {what} got {brief(seen)}, not {brief(value)}")


def _pair(check: CaseContext, *, first_ends_first: bool) -> None:
    """Run two tasks at the same time and require that each gets its own result.
    ``first_ends_first`` says which one is released first."""
    runs = []
    for number in (1, 2):
        callback = check.callback()
        frame = commands.run_frame(tasks.hold, callback.address)
        runs.append((f"run {number} of 2", callback, frame["run_id"], check.post_later(frame)))
        if not callback.arrived(check.patience):
            raise NotApplicable("two tasks do not run at once", needs=["concurrency.01"])
    for what, callback, run_id, post in runs if first_ends_first else reversed(runs):
        callback.release()
        try:
            answer = post.result(check.patience)
        except NoAnswer as exc:
            if any(other.done() for _, _, other_id, other in runs if other_id != run_id):
                check.fail(f"parallel runs are mixed up: {what} ended, and the other was answered")
            raise CaseFailed(f"{what} had ended while another still ran: {exc}") from exc
        _own(check, answer, run_id, callback.token, what, [other.token for _, other, _, _ in runs])


@concurrency.must(
    "03",
    sources.CONTRACT,
    scenario="two tasks that overlap, ended in either order; 16 tasks at once, each with a"
    " different value",
    expected="each answer has the run_id and the value of its own run",
    alone=True,
)
def never_mixed_up(check: CaseContext) -> str:
    """If runs overlap, each answer belongs to its own run."""
    if check.session.callback_works():
        _pair(check, first_ends_first=True)
        _pair(check, first_ends_first=False)
    runs = []
    for number in range(16):
        function = tasks.echo_async if number % 2 else tasks.echo
        frame = commands.run_frame(function, {"value": number})
        runs.append((number, frame["run_id"], check.post_later(frame, check.patience)))
    for number, run_id, post in runs:
        what = f"run {number + 1} of 16"
        try:
            answer = post.result(check.patience + 1)
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc
        _own(check, answer, run_id, number, what, [other for other, _, _ in runs])
    return "each its own"


@concurrency.must(
    "04",
    f"{sources.PROTOCOL}: each run_task has its own answer",
    scenario="a task that waits, then one that ends at once",
    expected="the second is answered while the first still runs",
    alone=True,
)
def result_while_another_waits(check: CaseContext) -> str:
    """A run is answered when it has ended, even if an earlier run has not."""
    callback = check.callback()
    frame = commands.run_frame(tasks.hold_async, callback.address)
    held = check.post_later(frame)
    if not callback.arrived(check.patience):
        check.fail("a task that waits did not start")
    try:
        value = check.value(tasks.echo_async, {"value": 4})
    except CaseFailed as exc:
        raise CaseFailed(f"while another task runs: {exc.actual}") from exc
    if value != 4 or not callback.alive():
        check.fail("while another task runs, a run got a wrong answer, or the other one stopped")
    callback.release()
    held.result(check.patience)
    return "answered"
