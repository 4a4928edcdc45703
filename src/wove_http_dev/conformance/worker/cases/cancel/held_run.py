"""Helpers for a run whose task body waits until the checker releases it: `start_held` starts the
run, the others cancel it and wait for its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import answers, commands
from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.callbacks import Callback
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer

THE_ANSWER = "the answer to the cancel_task"


@dataclass(frozen=True)
class HeldRun:
    """A run whose task body waits until the checker releases it, and the POST that still waits for
    the answer."""

    run_id: str
    callback: Callback
    post: Background[HttpResponse]


def start_held(check: CaseContext, function: Any, more: Mapping[str, Any] | None = None) -> HeldRun:
    """Start a run of ``function``, with the address of a callback and ``more`` as arguments, wait
    until its body has connected to the checker, and return the run."""
    callback = check.callback()
    args = {**callback.address, **(more or {})}
    return start_frame(check, commands.run_frame(function, args), callback)


def start_frame(check: CaseContext, frame: dict[str, Any], callback: Callback) -> HeldRun:
    """Send ``frame``, a run_task, wait until its task has connected with ``callback``, and return
    the run."""
    post = check.post_later(frame)
    if not callback.arrived(check.patience):
        said = ""
        if post.done():
            try:
                said = f"; it was answered with {post.result(0.0).shown()}"
            except NoAnswer as exc:
                said = f"; {exc}"
        check.fail(f"a task that waits did not start within {check.patience:g} s{said}", late=True)
    return HeldRun(frame["run_id"], callback, post)


def send_cancel(check: CaseContext, run_id: str, mode: str = "best_effort") -> HttpResponse:
    """Send a cancel_task for ``run_id`` and return the answer. The case fails if no answer comes,
    or one that Wove could not read."""
    body = commands.encode(commands.cancel_frame(run_id, mode))
    answer = check.ask(f"a {mode} cancel_task", body)
    require_readable(check, answer, run_id)
    return answer


def require_readable(check: CaseContext, answer: HttpResponse, run_id: str) -> None:
    """Fail the case if ``answer``, the answer to a cancel_task for ``run_id``, has a 5xx status,
    unreadable frames, or frames of other runs."""
    if answer.status >= 500:
        check.fail(f"a cancel_task made the service fail: {answer.shown()}")
    if not answer.ok or not answer.body.strip():
        return
    for event in answers.events_of(answer, THE_ANSWER):
        if event.get("run_id", run_id) != run_id:
            check.fail(f"a cancel_task was answered with a frame for {event['run_id']!r:.100}")


def terminals_of(answer: HttpResponse) -> list[answers.Event]:
    """Return the frames that end a run in ``answer``, the answer to a cancel_task, which may be
    empty."""
    if not answer.ok or not answer.body.strip():
        return []
    return answers.terminals(answers.events_of(answer, THE_ANSWER))


def require_one_outcome(
    check: CaseContext, run: HeldRun, said: list[answers.Event], event: answers.Event, what: str
) -> None:
    """Fail the case if ``said``, terminal frames in answers to cancel_task frames, and ``event``,
    which ended ``run``, contradict each other. Messages begin with ``what``."""
    for each in (*said, event):
        if each.get("run_id") != run.run_id:
            check.fail(f"{what}: the {each['type']!r} frame of a cancelled run lacks its run_id")
    if {each["type"] for each in said} - {event["type"]}:
        check.fail(
            f"{what}: the cancel_task was answered with {answers.types(said)}, and the run ended in"
            f" {event['type']!r}: a run has one outcome"
        )


def await_terminal(check: CaseContext, run: HeldRun, after: str) -> answers.Event:
    """Wait, as long as for any answer, for the frame that ends ``run``, and return it. ``after``
    says in the message what happened before."""
    try:
        answer = run.post.result(check.patience)
    except NoAnswer as exc:
        raise CaseFailed(f"{after}, the run_task POST was not answered: {exc}") from exc
    return check.terminal_in(answer, "the run_task POST of a cancelled run")
