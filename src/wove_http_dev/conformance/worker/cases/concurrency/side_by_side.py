"""Concurrency cases: the service runs tasks at the same time, and gives each run its own answer.

The checker does not measure time to see this: tasks run at the same time if all are connected to it
at once.
"""

from __future__ import annotations

import time

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import commands, pickles, sources, tasks, unusual_tasks
from wove_http_dev.conformance.worker.cases.concurrency import concurrency
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

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
            f" at once in {check.patience:g} s",
            late=True,
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


@concurrency.must(
    "04",
    f"{sources.PROTOCOL}: each run_task has its own answer",
    scenario="a task that waits, sync or async, then a sync and an async task that end at once",
    expected="they are answered while the first still runs",
)
def result_while_another_waits(check: CaseContext) -> str:
    """A run is answered when it has ended, even if an earlier run has not."""
    for kind, function in (("async", tasks.hold_async), ("sync", tasks.hold)):
        callback = check.callback()
        held = check.post_later(commands.run_frame(function, callback.address))
        if not callback.arrived(check.patience):
            check.fail("a task that waits did not start", late=True)
        for other in (tasks.echo_async, tasks.echo):
            what = f"while another task ({kind}) runs"
            try:
                value = check.value(other, {"value": 4})
            except CaseFailed as exc:
                raise CaseFailed(f"{what}: {exc.actual}", late=exc.late) from exc
            if value != 4 or not callback.alive():
                check.fail(f"{what}, a run got a wrong answer, or the other one stopped")
        callback.release()
        try:
            held.result(check.patience)
        except NoAnswer as exc:
            raise CaseFailed(
                f"a task ({kind}) ended after others that came later, and its run: {exc}"
            ) from exc
    return "answered"


@concurrency.should(
    "05",
    f"{sources.PROTOCOL}: a cancel_task comes while its run_task is answered",
    scenario="runs that take long to be loaded, or whose result takes long to be pickled; meanwhile"
    " a sync and an async task, and a cancel_task for the run",
    expected="they are answered meanwhile",
)
def answers_while_another_loads(check: CaseContext) -> str:
    """While the pickles of a run are loaded, or its result is pickled, other requests are
    answered."""
    callbacks = [check.callback() for _ in range(3)]
    code = pickles.pickled(pickles.WaitingOnLoad(callbacks[0].address, dict))
    value = pickles.WaitingOnLoad(callbacks[1].address, None)
    slow = commands.run_frame(unusual_tasks.result_that_waits, callbacks[2].address)
    for callback, what, frame in (
        (callbacks[0], "the callable of a run is loaded", commands.run_frame(code)),
        (callbacks[1], "an argument is loaded", commands.run_frame(tasks.echo, {"value": value})),
        (callbacks[2], "a result is pickled", slow),
    ):
        post = check.post_later(frame)
        if not callback.arrived(check.patience):
            check.fail(f"a run did not get so far that {what}", late=True)
        try:
            for function in (tasks.echo, tasks.echo_async):
                check.value(function, {"value": 1})
            check.ask("its cancel_task", commands.encode(commands.cancel_frame(frame["run_id"])))
        except CaseFailed as exc:
            raise CaseFailed(f"while {what}: {exc.actual}", late=exc.late) from exc
        callback.release()
        post.done(check.patience)
    return "answered"
