"""Cancel cases about the effect of a cancel_task: it ends the run that it names, and no other.

The cases do not trust the answer: the task body is connected to the checker, which sees whether the
body still runs.
"""

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
from wove_http_dev.conformance.worker.cases.cancel import cancel
from wove_http_dev.conformance.worker.cases.cancel.held_run import (
    THE_ANSWER,
    await_terminal,
    require_one_outcome,
    require_readable,
    send_cancel,
    start_frame,
    start_held,
    terminals_of,
)
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

FULL = 8
"""How many tasks are sent at once: as many as Wove itself sends at a time on four cores."""
FILLING = 1.0
"""Seconds until no further task counts as running: a service may run fewer at a time."""
THROUGH = 3.0
"""Seconds that the answer to a cancel_task may take while many tasks run."""


@cancel.must(
    "01",
    sources.PROTOCOL,
    scenario="best_effort cancel_task frames for a running sync task, and for an async task that"
    " keeps running after it is cancelled",
    expected="an answer within 5 s: empty, or event frames of that run",
)
def running_best_effort(check: CaseContext) -> str:
    """A cancel_task for a running task is answered without waiting for the task."""
    for function in (tasks.hold, tasks.hold_stubborn):
        run = start_held(check, function)
        answer = send_cancel(check, run.run_id)
        if not answer.ok:
            check.fail(f"a cancel_task for a running task was answered with {answer.shown()}")
        run.callback.release()
    return answer.shown()


@cancel.must(
    "02",
    sources.CONTRACT,
    scenario="a best_effort cancel_task for a running task; then the task is released",
    expected="the run_task POST is answered with one terminal frame",
)
def run_is_answered(check: CaseContext) -> str:
    """A cancelled run is still answered with one terminal frame."""
    run = start_held(check, tasks.hold)
    send_cancel(check, run.run_id)
    run.callback.release()
    event = await_terminal(check, run, "after a cancel_task and the end of the task")
    if event.get("type") == "task_error":
        check.fail(f"a cancelled run ended in task_error: {answers.error_text(event)}")
    check.still_serves("a cancel_task")
    return str(event.get("type"))


@cancel.should(
    "03",
    f"{sources.CONTRACT} (honor cancellation); {sources.STDIO}",
    scenario="best_effort cancel_task frames for a coroutine function that waits, and for a plain"
    " function that returns its coroutine",
    expected="the task stops, and its run is answered with task_cancelled",
)
def stops_async_task(check: CaseContext) -> str:
    """A cancel_task stops an async task, because asyncio can cancel it."""
    coroutine = {"function": pickles.by_value(tasks.hold_async)}
    for what, function, more in (
        ("an async task", tasks.hold_async, {}),
        ("a function that returned a coroutine", unusual_tasks.call, coroutine),
    ):
        run = start_held(check, function, more)
        send_cancel(check, run.run_id)
        if not run.callback.ended(check.patience):
            check.fail(f"{what} still ran {check.patience:g} s after its cancel_task", late=True)
        event = await_terminal(check, run, f"after {what} was cancelled")
        if event.get("type") != "task_cancelled":
            check.fail(f"{what}, cancelled, ended in {event.get('type')!r}")
    return "stopped"


@cancel.must(
    "04",
    sources.PROTOCOL,
    scenario="cancel_task frames (both modes) for a run that never existed",
    expected="an answer within 5 s, and no failure of the service",
)
def unknown_run(check: CaseContext) -> str:
    """A cancel_task for a run that the service does not know is answered too."""
    for mode in ("best_effort", "require_ack"):
        answer = send_cancel(check, commands.new_run_id(), mode)
    check.still_serves("a cancel_task for an unknown run")
    return answer.shown()


@cancel.must(
    "05",
    sources.PROTOCOL,
    scenario="cancel_task frames (both modes) for a run that has finished",
    expected="an answer within 5 s, without task_cancelled",
)
def finished_run(check: CaseContext) -> str:
    """A cancel_task for a run that has ended is answered, but not acknowledged."""
    for mode in ("best_effort", "require_ack"):
        run_id = commands.new_run_id()
        check.terminal(commands.run_frame(tasks.nothing, run_id=run_id))
        answer = send_cancel(check, run_id, mode)
        if mode == "require_ack" and answers.acknowledged_cancel(answer, THE_ANSWER):
            check.fail("require_ack: a run that had finished was acknowledged as cancelled")
    check.still_serves("a cancel_task for a finished run")
    return answer.shown()


@cancel.must(
    "09",
    sources.CONTRACT,
    scenario="two running tasks, and a cancel_task for the older one, or for the newer one",
    expected="the other task runs to its end",
    alone=True,
)
def only_its_own_run(check: CaseContext) -> str:
    """A cancel_task stops the run that it names and no other."""
    for age in ("older", "newer"):
        runs = [start_held(check, tasks.hold_async), start_held(check, tasks.hold_async)]
        stopped, other = runs if age == "older" else reversed(runs)
        try:
            answer = check.post(commands.encode(commands.cancel_frame(stopped.run_id)))
        except NoAnswer as exc:
            raise CaseFailed(
                f"while two tasks ran, a cancel_task for one of them was not answered: {exc}; if"
                " the service serves so few requests at once, nothing was left to read it"
            ) from exc
        require_readable(check, answer, stopped.run_id)
        if not other.callback.alive():
            check.fail(f"a cancel_task for the {age} one of two runs stopped the other")
        other.callback.release()
        event = await_terminal(check, other, "after another run was cancelled")
        if event.get("type") != "task_result":
            check.fail(f"a cancel_task for one run ended another in {event.get('type')!r}")
        stopped.callback.release()
    return "the other one ended in task_result"


@cancel.must(
    "10",
    f"{sources.HTTP}, 15.5.1",
    scenario="cancel_task frames without run_id, and with a number as run_id",
    expected="an answer within 5 s, and no failure of the service",
)
def malformed_cancel(check: CaseContext) -> str:
    """A cancel_task that names no run is answered, and the service keeps serving."""
    for what, value in (("without run_id", None), ("with a number as run_id", 5)):
        frame = commands.cancel_frame("x")
        del frame["run_id"]
        if value is not None:
            frame["run_id"] = value
        answer = check.ask(f"a cancel_task {what}", commands.encode(frame))
        if answer.status >= 500:
            check.fail(f"a cancel_task {what} made the service fail: {answer.shown()}")
    check.still_serves("malformed cancel_task frames")
    return f"HTTP {answer.status}"


@cancel.must(
    "12",
    sources.CONTRACT,
    scenario="while a task runs, cancel_task frames for run ids similar to its own (a letter less,"
    " a letter more, other letter case) and for a run that never existed",
    expected="the task runs to its end",
)
def whole_run_id(check: CaseContext) -> str:
    """A cancel_task matches only the complete run_id."""
    run = start_held(check, tasks.hold_async)
    for what, run_id in (
        ("without its last letter", run.run_id[:-1]),
        ("with a letter more", f"{run.run_id}0"),
        ("in other letter case", run.run_id.swapcase()),
        ("of a run that never existed", commands.new_run_id()),
    ):
        check.ask(f"a cancel_task {what}", commands.encode(commands.cancel_frame(run_id)))
        if not run.callback.alive():
            check.fail(f"a cancel_task with the run_id {what} stopped a run that it does not name")
    run.callback.release()
    event = await_terminal(check, run, "after cancel_task frames for other run ids")
    if event.get("type") != "task_result":
        check.fail(f"cancel_task frames for other run ids ended a run in {event.get('type')!r}")
    return "not stopped"


@cancel.must(
    "13",
    f"{sources.CONTRACT}; {sources.PROTOCOL}",
    scenario="cancel_task frames (both modes) for async tasks that wait",
    expected="one outcome, with the run's run_id, in both answers together (task_cancelled may be"
    " in both)",
)
def one_outcome(check: CaseContext) -> str:
    """The answers to a run and to its cancel_task do not contradict each other."""
    for mode in ("best_effort", "require_ack"):
        run = start_held(check, tasks.hold_async)
        answer = send_cancel(check, run.run_id, mode)
        run.callback.release()
        event = await_terminal(check, run, f"after a {mode} cancel_task and the end of the task")
        require_one_outcome(check, run, terminals_of(answer), event, mode)
    return "one each"


@cancel.must(
    "14",
    sources.CONTRACT,
    scenario=f"a cancel_task for one of {FULL} tasks, which run or wait for their turn",
    expected=f"an answer within {THROUGH:g} s, while the tasks have not ended",
    alone=True,
)
def while_many_tasks_run(check: CaseContext) -> str:
    """A cancel_task is answered while all workers are busy, because otherwise it would come too
    late."""
    first = start_held(check, tasks.hold)
    callbacks = [first.callback]
    for number in range(FULL - 1):
        callbacks.append(check.callback())
        function = tasks.hold if number % 2 else tasks.hold_async
        check.post_later(commands.run_frame(function, callbacks[-1].address))
    filled = time.monotonic() + check.silence(FILLING)
    running = sum(each.arrived(max(0.0, filled - time.monotonic())) for each in callbacks)
    waiting = f", and {FULL - running} waited," if running < FULL else ""
    body = commands.encode(commands.cancel_frame(first.run_id))
    try:
        answer = check.post(body, patience=check.seconds(THROUGH))
    except NoAnswer as exc:
        raise CaseFailed(
            f"while {running} tasks ran{waiting or ','} a cancel_task was not answered: {exc}"
        ) from exc
    for callback in callbacks:
        callback.release()
    return f"{answer.shown()}, while {running} tasks ran"


@cancel.should(
    "22",
    f"{sources.PROTOCOL}; {sources.EXECUTOR}: a task_error of its own for any other status",
    scenario="cancel_task frames (both modes) for a run that never existed, for one that has"
    " finished, and twice for one that is running",
    expected="a 2xx status each time",
)
def success_for_every_cancel(check: CaseContext) -> str:
    """A cancel_task for a run that is unknown, finished or cancelled already is no error."""
    finished = commands.new_run_id()
    check.terminal(commands.run_frame(tasks.nothing, run_id=finished))
    runs = {"a run that never existed": commands.new_run_id(), "a finished run": finished}
    callback = check.callback_if_possible()
    if callback is not None:
        run = start_frame(check, commands.run_frame(tasks.hold_async, callback.address), callback)
        runs |= {"a running task": run.run_id, "a run that was cancelled before": run.run_id}
    for what, run_id in runs.items():
        for mode in ("best_effort", "require_ack"):
            answer = send_cancel(check, run_id, mode)
            if not answer.ok:
                check.fail(f"a {mode} cancel_task for {what} was answered with {answer.shown()}")
    return answer.shown()
