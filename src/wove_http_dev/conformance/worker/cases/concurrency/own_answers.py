"""Concurrency cases about what belongs to which run: with many runs at the same time, each answer,
each argument, each cancel_task and each printed text belongs to its own one.

A service that is slow does not fail them: a run that did not start in time says nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import answers, commands, sources, tasks, unusual_tasks
from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.callbacks import Callback
from wove_http_dev.conformance.worker.cases.concurrency import concurrency
from wove_http_dev.conformance.worker.context import TURNED_AWAY, CaseContext
from wove_http_dev.conformance.worker.unpickling import brief
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer

MANY = 40
"""How many runs are open at once; Wove sends at most 32 (asyncio's default pool)."""
FILLING = 0.2
"""Seconds without another task that starts, after which no further one counts as running: a service
may run fewer at a time."""
ENDED = 0.1
"""Seconds in which a connection is seen to be closed that was closed before."""
CANCELLED = (5, 17, 31)
"""Which of the runs are cancelled."""
PRINTED = 16
"""How many characters of the callback's token the tasks print."""
MIXED = "parallel runs are mixed up"


@dataclass(frozen=True)
class _OpenRun:
    """A run whose task waits for the checker, and returns the token of ``callback``."""

    what: str
    run_id: str
    callback: Callback
    post: Background[HttpResponse]


def _open(check: CaseContext, number: int, count: int) -> _OpenRun:
    """Start run ``number`` of ``count``: every second one is async."""
    callback = check.callback()
    function = tasks.hold_async if number % 2 else tasks.hold
    frame = commands.run_frame(function, callback.address)
    what = f"run {number + 1} of {count}"
    return _OpenRun(what, frame["run_id"], callback, check.post_later(frame))


def _own(
    check: CaseContext, answer: HttpResponse, run_id: str, value: object, what: str
) -> answers.Event:
    """Require that the frames in ``answer`` are those of the run ``run_id`` and that its result, if
    it has one, is ``value``. Return the terminal frame. ``what`` describes the run in messages."""
    events = check.events_in(answer, what)
    if any(event.get("run_id", run_id) != run_id for event in events):
        check.fail(f"{MIXED}: {what} was answered with a frame of another run")
    found = answers.terminals(events)
    if not found:
        check.fail(f"{what} was answered without a terminal frame")
    if found[0]["type"] == "task_result" and answers.result_of(found[0]) != value:
        check.fail(f"{MIXED}: {what} got {brief(answers.result_of(found[0]))}, not {brief(value)}")
    return found[0]


def _pair(check: CaseContext, *, first_ends_first: bool) -> None:
    """Run two tasks at the same time and require that each gets its own result.
    ``first_ends_first`` says which one is released first."""
    runs = []
    for number in range(2):
        runs.append(_open(check, number, 2))
        if not runs[-1].callback.arrived(check.patience):
            raise NotApplicable("two tasks do not run at once", needs=["concurrency.01"])
    for run in runs if first_ends_first else reversed(runs):
        run.callback.release()
        try:
            answer = run.post.result(check.patience)
        except NoAnswer as exc:
            if any(other.post.done() for other in runs if other is not run):
                check.fail(f"{MIXED}: {run.what} ended, and the other was answered")
            raise CaseFailed(f"{run.what} had ended while another still ran: {exc}") from exc
        _ended(check, run, answer)


def _ended(check: CaseContext, run: _OpenRun, answer: HttpResponse) -> None:
    event = _own(check, answer, run.run_id, run.callback.token, run.what)
    if event["type"] == "task_cancelled":
        check.fail(f"{MIXED}: {run.what}, which was not cancelled, ended in task_cancelled")
    answers.result_of(event)


@concurrency.must(
    "03",
    sources.CONTRACT,
    scenario=f"two tasks that overlap, ended in either order; {MANY} tasks that wait at the same"
    f" time, sync and async, each with an argument and a result of its own; {len(CANCELLED)} of"
    " them are cancelled, and then the others ended, the last one first",
    expected="each answer has the run_id and the value of its own run; no other run is cancelled",
    alone=True,
)
def never_mixed_up(check: CaseContext) -> str:
    """If runs overlap, each answer, argument and cancel_task belongs to its own run."""
    if not check.session.callback_works():
        return _echoes(check)
    _pair(check, first_ends_first=True)
    _pair(check, first_ends_first=False)
    runs = [_open(check, number, MANY) for number in range(MANY)]
    running = _running(check, runs)
    cancelled = [runs[index] for index in CANCELLED if runs[index] in running]
    for run in cancelled:
        body = commands.encode(commands.cancel_frame(run.run_id))
        check.ask(f"a cancel_task for {run.what}", body)
    kept = [run for run in running if run not in cancelled]
    for run in kept:
        if run.callback.count > 1:
            check.fail(f"{MIXED}: two tasks got the arguments of {run.what}")
        if not run.callback.alive() and run.callback.ended(ENDED):
            check.fail(
                f"{MIXED}: {run.what} ended while it waited, when other runs were started and"
                f" {', '.join(each.what for each in cancelled)} cancelled"
            )
    for run in reversed(runs):
        run.callback.release()
    return _collected(check, runs, cancelled)


def _running(check: CaseContext, runs: Sequence[_OpenRun]) -> list[_OpenRun]:
    """Wait until all tasks of ``runs`` wait for the checker, or no other has started for a while,
    and return the runs of those that do."""
    deadline = check.deadline()
    pause = check.silence(FILLING)
    count, changed = 0, time.monotonic()
    while time.monotonic() < deadline.ends:
        started = sum(run.callback.count > 0 for run in runs)
        if started > count:
            count, changed = started, time.monotonic()
        waiting = next((run for run in runs if not run.callback.count), None)
        if waiting is None or (count and time.monotonic() > changed + pause):
            break
        waiting.callback.arrived(pause / 10)
    return [run for run in runs if run.callback.count]


def _collected(check: CaseContext, runs: Sequence[_OpenRun], cancelled: Sequence[_OpenRun]) -> str:
    """Wait for the answers to ``runs``, whose tasks were released, and require that each has its
    own result. A run that is not answered in time fails the case only if its task has ended."""
    missing: list[_OpenRun] = []
    turned_away = 0
    for run in runs:
        try:
            answer = run.post.result(check.patience if not missing else 0.0)
        except NoAnswer:
            missing.append(run)
            continue
        if answer.status in TURNED_AWAY:
            turned_away += 1
        elif run in cancelled:
            _own(check, answer, run.run_id, run.callback.token, run.what)
        else:
            _ended(check, run, answer)
    for run in missing:
        if run.callback.count and run.callback.ended(ENDED):
            check.fail(
                f"the task of {run.what} had ended, and within {check.patience:g} s the run was not"
                " answered",
                late=True,
            )
    if missing:
        raise NotApplicable(f"{len(missing)} of {MANY} runs were not answered in time to tell")
    more = f", {turned_away} turned away" if turned_away else ""
    return f"{len(runs) - turned_away} answers, each its own{more}"


def _echoes(check: CaseContext) -> str:
    """Run tasks that return their argument, because tasks cannot connect to the checker."""
    runs = []
    for number in range(MANY):
        function = tasks.echo_async if number % 2 else tasks.echo
        frame = commands.run_frame(function, {"value": number})
        runs.append((number, frame["run_id"], check.post_later(frame)))
    late = 0
    for number, run_id, post in runs:
        try:
            answer = post.result(0.0 if late else check.patience)
        except NoAnswer:
            late += 1
            continue
        if answer.status not in TURNED_AWAY:
            _own(check, answer, run_id, number, f"run {number + 1} of {MANY}")
    if late:
        raise NotApplicable(f"{late} of {MANY} runs were not answered in time to tell")
    return "each its own"


@concurrency.should(
    "06",
    f"{sources.CONTRACT}; {sources.CWE_LEAK}",
    scenario="two tasks that overlap, each of which prints a text of its own before and after the"
    " other starts; then a third task",
    expected="no answer holds what another run printed",
)
def own_output(check: CaseContext) -> str:
    """If answers hold what tasks print, each holds only what its own run printed."""
    runs = []
    for number in range(2):
        callback = check.callback()
        frame = commands.run_frame(
            unusual_tasks.print_and_wait, {**callback.address, "length": PRINTED}
        )
        post = check.post_later(frame)
        runs.append(_OpenRun(f"run {number + 1} of 2", frame["run_id"], callback, post))
        if not callback.arrived(check.patience):
            raise NotApplicable("two tasks do not run at once", needs=["concurrency.01"])
    seen = []
    for run in runs:
        run.callback.release()
        try:
            seen.append((run, run.post.result(check.patience)))
        except NoAnswer as exc:
            raise CaseFailed(f"{run.what}, of tasks that print: {exc}") from exc
    body = commands.encode(commands.run_frame(tasks.echo, {"value": 1}))
    answers_seen = [(run.what, answer, run) for run, answer in seen]
    for what, answer, own in [*answers_seen, ("a run after them", check.ask("a run", body), None)]:
        for run in runs:
            if run is not own and run.callback.token[:PRINTED].encode() in answer.body:
                check.fail(f"the answer to {what} holds what {run.what} printed")
    return "each its own"
