"""Cancel cases about cancel_task frames that come at unusual moments (before the run, while its
pickles are loaded, while its result is pickled), twice, or to a task that does not let itself be
cancelled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import (
    answers,
    commands,
    pickles,
    sources,
    tasks,
    unusual_tasks,
)
from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.cases.cancel import cancel
from wove_http_dev.conformance.worker.cases.cancel.held_run import (
    HeldRun,
    await_terminal,
    require_one_outcome,
    require_readable,
    send_cancel,
    start_frame,
    start_held,
    terminals_of,
)
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer

MODES = ("best_effort", "require_ack")
MEANWHILE = 0.03
"""Seconds in which a cancel_task reaches the service. If it takes longer, it comes at a usual
moment, and the case passes as well."""
KNOWN = 0.05
"""Seconds in which a cancel_task that was answered is known to the process that loads its run."""
STOPS = 1.0
"""Seconds in which a cancel_task stops an async task, if it does that at all."""
NEVER_STOPPED = "a cancel_task did not stop an async task"
ONE_OUTCOME = "an answer to each request; one outcome of the run in all of them together"


@dataclass(frozen=True)
class _Cancelled:
    """A run, and the POSTs of its cancel_task frames, which may not be answered yet."""

    run: HeldRun
    posts: Sequence[Background[HttpResponse]]

    def acknowledged(self) -> bool:
        """Return whether task_cancelled has arrived by now, in any of the answers."""
        for post in (self.run.post, *self.posts):
            with suppress(NoAnswer):
                if post.done() and terminals_of(post.result(0.0)):
                    return True
        return False


def _cancels(check: CaseContext, runs: Sequence[HeldRun], *modes: str) -> list[_Cancelled]:
    """Send a cancel_task in each of ``modes`` for each of ``runs``, all from background threads,
    and give them time to arrive."""
    found = []
    for run in runs:
        frames = [commands.cancel_frame(run.run_id, mode) for mode in modes]
        found.append(_Cancelled(run, [check.post_later(frame) for frame in frames]))
    ends = time.monotonic() + check.silence(MEANWHILE)
    for post in (post for each in found for post in each.posts):
        post.done(max(0.0, ends - time.monotonic()))
    return found


def _outcome(check: CaseContext, cancelled: _Cancelled, what: str) -> answers.Event:
    """Wait for the answers to a run and to its cancel_task frames, and require one outcome in all
    of them. Return the frame that ended the run. Messages begin with ``what``."""
    said: list[answers.Event] = []
    for post in cancelled.posts:
        try:
            answer = post.result(check.patience)
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: the cancel_task was not answered: {exc}") from exc
        require_readable(check, answer, cancelled.run.run_id)
        said += terminals_of(answer)
    event = await_terminal(check, cancelled.run, what)
    require_one_outcome(check, cancelled.run, said, event, what)
    return event


def _loading(check: CaseContext, function: Any, name: str, args: Any, *, code: bool) -> HeldRun:
    """Start a run of ``function`` that waits for the checker while its pickles are loaded: the
    callable if ``code`` is true, otherwise the argument ``name``."""
    callback = check.callback()
    if code:
        waits = pickles.WaitingOnLoad(callback.address, pickles.by_value(function))
        return start_frame(check, commands.run_frame(pickles.pickled(waits), args), callback)
    args = {**args, name: pickles.WaitingOnLoad(callback.address, args[name])}
    return start_frame(check, commands.run_frame(function, args), callback)


@cancel.must(
    "15",
    f"{sources.CONTRACT}; {sources.EVENTS}: task_cancelled means that it completed",
    scenario="cancel_task frames (both modes) for runs whose callable or argument is still being"
    " loaded; then they are loaded",
    expected=f"{ONE_OUTCOME}; no body that runs after task_cancelled in mode require_ack",
)
def cancelled_while_loading(check: CaseContext) -> str:
    """A cancel_task that comes while the pickles of its run are loaded is answered, and so is the
    run."""
    for mode in MODES:
        bodies = {part: check.callback() for part in ("callable", "argument")}
        runs = [
            _loading(check, tasks.report_back, "host", body.address, code=part == "callable")
            for part, body in bodies.items()
        ]
        cancels = _cancels(check, runs, mode)
        for cancelled, (part, body) in zip(cancels, bodies.items(), strict=True):
            early = mode == "require_ack" and cancelled.acknowledged()
            cancelled.run.callback.release()
            what = f"after a {mode} cancel_task while the {part} of its run loaded"
            event = _outcome(check, cancelled, what)
            if early and body.arrived(check.silence(MEANWHILE)):
                check.fail(
                    f"require_ack was answered with task_cancelled while the {part} of the run"
                    " loaded, and then its body ran"
                )
    check.still_serves("cancel_task frames for runs that were loaded")
    return str(event.get("type"))


@cancel.must(
    "16",
    sources.CONTRACT,
    scenario="cancel_task frames (both modes) for runs, sync and async, whose result is still being"
    " pickled; then it is pickled",
    expected=ONE_OUTCOME,
)
def cancelled_while_pickling(check: CaseContext) -> str:
    """A cancel_task that comes while the result of its run is pickled is answered, and so is the
    run."""
    for mode in MODES:
        runs = [_pickling(check, in_coroutine=each) for each in (False, True)]
        for cancelled in _cancels(check, runs, mode):
            cancelled.run.callback.release()
            what = f"after a {mode} cancel_task while the result of its run was pickled"
            event = _outcome(check, cancelled, what)
            if event["type"] == "task_error":
                check.fail(f"{what}, the run ended in task_error: {answers.error_text(event)}")
    check.still_serves("cancel_task frames for runs whose results were pickled")
    return str(event["type"])


def _pickling(check: CaseContext, *, in_coroutine: bool) -> HeldRun:
    """Start a run whose result waits for the checker while it is pickled. If ``in_coroutine`` is
    true, a coroutine returns it."""
    callback = check.callback()
    task = unusual_tasks.result_that_waits, callback.address
    frame = commands.run_frame(*(pickles.in_coroutine(*task) if in_coroutine else task))
    return start_frame(check, frame, callback)


@cancel.must(
    "17",
    sources.CONTRACT,
    scenario="cancel_task frames (both modes) for async tasks that, when they are cancelled, return"
    " a value, raise ValueError, or raise SystemExit",
    expected=f"{ONE_OUTCOME}: task_cancelled, or what the task did; the service keeps serving",
)
def swallowed_cancellation(check: CaseContext) -> str:
    """An async task that swallows its cancellation ends its run like any other."""
    for mode in MODES:
        for raises in ("", "ValueError", "SystemExit"):
            run = start_held(check, unusual_tasks.hold_and_swallow, {"raises": raises})
            answer = send_cancel(check, run.run_id, mode)
            if not run.callback.ended(check.silence(STOPS)):
                run.callback.release()
                raise NotApplicable(NEVER_STOPPED, needs=["cancel.03"])
            did = f"raises {raises}" if raises else "returns a value"
            what = f"after a {mode} cancel_task for an async task that then {did}"
            event = await_terminal(check, run, what)
            require_one_outcome(check, run, terminals_of(answer), event, what)
            honest = "task_error" if raises else "task_result"
            if event["type"] not in ("task_cancelled", honest):
                check.fail(f"{what}, the run ended in {event['type']!r}")
            if event["type"] == "task_result" and answers.result_of(event) != run.callback.token:
                check.fail(f"{what}, the run ended with a value that the task did not return")
            check.value(tasks.echo_async, {"value": 1})
    check.still_serves("tasks that swallowed their cancellation")
    return str(event["type"])


@cancel.must(
    "18",
    sources.CONTRACT,
    scenario="two cancel_task frames at once, in each combination of the modes, for async tasks"
    " that wait and for a sync task, which then ends",
    expected=ONE_OUTCOME,
)
def cancelled_twice(check: CaseContext) -> str:
    """Two cancel_task frames for one run are both answered, and the run has one outcome."""
    pairs = [(first, second) for first in MODES for second in MODES]
    kinds = [("an async task", tasks.hold_async, pair) for pair in pairs]
    for kind, function, pair in (*kinds, ("a sync task", tasks.hold, pairs[-1])):
        run = start_held(check, function)
        (cancelled,) = _cancels(check, [run], *pair)
        run.callback.release()
        what = f"after two cancel_task frames ({', '.join(pair)}) for {kind}"
        event = _outcome(check, cancelled, what)
        if event["type"] == "task_error":
            check.fail(f"{what}, the run ended in task_error: {answers.error_text(event)}")
    check.still_serves("two cancel_task frames for one run")
    return str(event["type"])


@cancel.must(
    "19",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: each request has a connection of its own",
    scenario="cancel_task frames (both modes) for runs that are sent only after them; then a run"
    " that was not cancelled",
    expected="one terminal frame for each run, task_result or task_cancelled; task_result for the"
    " last one",
)
def cancelled_before_it_came(check: CaseContext) -> str:
    """A run whose cancel_task has overtaken it is answered, and no other run is affected."""
    for mode in MODES:
        for function in (tasks.echo, tasks.echo_async):
            run_id = commands.new_run_id()
            send_cancel(check, run_id, mode)
            what = f"a run whose {mode} cancel_task came before it"
            event = check.terminal(commands.run_frame(function, {"value": 1}, run_id=run_id), what)
            if event["type"] == "task_error":
                check.fail(f"{what} ended in task_error: {answers.error_text(event)}")
    check.still_serves("a cancel_task that came before its run")
    return str(event["type"])


@cancel.should(
    "20",
    f"{sources.CONTRACT} (honor cancellation)",
    scenario="best_effort cancel_task frames for an async and a sync task whose argument is still"
    " being loaded; then it is loaded, and the task would wait",
    expected="the task does not start, or, if it is async, is stopped",
)
def stops_a_task_that_was_loaded(check: CaseContext) -> str:
    """A cancel_task that comes while a task is loaded stops it too: its body has not begun."""
    seen = []
    for kind, function in (("async", tasks.hold_async), ("sync", tasks.hold)):
        body = check.callback()
        run = _loading(check, function, "host", body.address, code=False)
        (cancelled,) = _cancels(check, [run], "best_effort")
        known = cancelled.posts[0].done(check.patience if kind == "sync" else 0.0)
        body.arrived(check.seconds(KNOWN) if kind == "sync" else 0.0)
        run.callback.release()
        what = f"a best_effort cancel_task while the argument of its run ({kind}) loaded"
        try:
            event = _outcome(check, cancelled, f"after {what}")
        except CaseFailed as exc:
            if body.count and body.alive():
                check.fail(f"{what} was lost: the task runs on", late=exc.late)
            raise
        if body.arrived(check.silence(MEANWHILE)):
            if kind == "sync" and known:
                check.fail(f"{what} was answered, and afterwards the task started", late=True)
            if kind == "async" and not body.ended(check.patience):
                check.fail(f"{what} was lost: the task runs on", late=True)
        body.release()
        seen.append(str(event["type"]))
    return ", ".join(seen)
