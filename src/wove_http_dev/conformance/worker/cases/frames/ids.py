"""Frame cases about the ids of a run: whatever they look like, and however often the same work is
sent, the event frames have exactly those of their own command."""

from __future__ import annotations

import time
import uuid
from typing import Any

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.answer_rules import how_broken
from wove_http_dev.conformance.worker.cases.frames import frames
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer

KINDS = (tasks.nothing, tasks.echo_async, tasks.fail, tasks.echo, tasks.fail_with_async)
ARGUMENTS: dict[Any, dict[str, Any]] = {
    tasks.echo: {"value": 1},
    tasks.echo_async: {"value": 1},
    tasks.fail_with_async: {"name": "KeyError"},
}
"""The arguments of those of ``KINDS`` that take some."""
WAIT = 0.05
"""Seconds between two looks at whether a run was refused instead of begun."""
STOPS = 1.0
"""Seconds until an async task has stopped, in a service that stops tasks."""
LONG_ENOUGH = 5
"""Ids with more characters than this are different in each check."""
INJECTED = "X-Conformance-Injected"
"""A header that an answer has if an id was copied into its head."""


def _unusual() -> list[tuple[str, str]]:
    """Return names of unusual ids and the ids. Those without a digit are the same in each check."""
    mark = uuid.uuid4()
    return [
        ("of 200 letters", f"render_{'x' * 160}:{mark.hex}"),
        ("of 2000 letters", f"render_{'x' * 1960}:{mark.hex}"),
        ("of digits", str(mark.int)),
        ("that looks like a float", f"{mark.int % 10**9}.0"),
        ("that looks like a number with an exponent", f"{mark.int % 10**9}e2"),
        ("with zeros in front", f"000{mark.int % 10**9}"),
        *((f"{word!r}", word) for word in ("null", "None", "true", "NaN", "0", "[]")),
        ("with dots and slashes", f"../../{mark.hex}/a.b"),
        ("with quotes and marks", f"{mark.hex}\"'\\<&>%s%2F{{0}}#?+"),
        ("with blanks around it", f" {mark.hex} "),
        ("with line feeds", f"{mark.hex}\r\n{INJECTED}: 1\r\n"),
        ("with a NUL", f"{mark.hex}\x00."),
        ("in upper and lower case", f"Render:{mark.hex.upper()}a"),
        ("in decomposed letters", f"gro\N{COMBINING DIAERESIS}\N{ANGSTROM SIGN}:{mark.hex}"),
        ("with an emoji", f"\N{PILE OF POO}\N{RIGHT-TO-LEFT MARK}:{mark.hex}"),
    ]


@frames.must(
    "20",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: frames are delivered by run_id",
    scenario="tasks of every kind and outcome, whose ids are long, look like a number"
    " or a null, or have slashes, quotes, blanks, control characters, decomposed letters",
    expected="both ids unchanged in every event frame, or a 4xx status for ids that no Python name"
    " could have",
)
def unusual_ids(check: CaseContext) -> str:
    """An id is text that is returned unchanged: it is not read as a number, trimmed, cut off or
    normalised."""
    for number, (what, text) in enumerate(_unusual()):
        function = KINDS[number % len(KINDS)]
        frame = commands.run_frame(function, ARGUMENTS.get(function), run_id=text, task_id=text)
        body = commands.encode(frame)
        answer = check.ask(f"a run with an id {what}", body)
        refused = 400 <= answer.status < 500 and number > 0  # the first one could be Wove's
        if not answer.ok and not refused:
            check.fail(f"a run with an id {what} was answered with {answer.shown()}")
        if answer.header(INJECTED):
            check.fail(f"a run with an id {what}: a line of it became a header of the answer")
        _require_ids(check, f"a run with an id {what}", body, answer)
    return f"{number + 1} ids"


def _require_ids(check: CaseContext, what: str, body: bytes, answer: HttpResponse) -> None:
    """Fail the case if a frame in ``answer`` has other ids than the command ``body``."""
    if how := how_broken("ids", check.service.request(body, {}), answer):
        check.fail(f"{what}: {how}")


def _with_key(function: Any, args: Any, key: str) -> dict[str, Any]:
    frame = commands.run_frame(function, args)
    frame["delivery"]["delivery_idempotency_key"] = key
    return frame


@frames.must(
    "21",
    f"{sources.CONTRACT}; {sources.EXECUTOR}: a retry has a new run_id and the same"
    " delivery_idempotency_key",
    scenario="runs that are sent again with the same idempotency key and a new run_id: after the"
    " first one has ended, after it has failed, and while it still runs; and the same run_id again",
    expected="each answer has the ids of its own command; a run_id that is repeated may be refused",
)
def ids_of_repeated_runs(check: CaseContext) -> str:
    """If the same work is sent again, its answer has the ids of the second command, also if the
    service remembers the outcome of the first."""
    for function, args in (
        (tasks.echo, {"value": 1}),
        (tasks.fail_with_async, {"name": "KeyError"}),
    ):
        key = f"conformance:{uuid.uuid4().hex}"
        for what in ("a run with an idempotency key", "a run with the idempotency key of another"):
            body = commands.encode(_with_key(function, args, key))
            answer = check.ask(what, body)
            check.terminal_in(answer, what)
            _require_ids(check, what, body, answer)
        answer = check.ask("a run_id for the second time", body)
        if answer.status >= 500:
            check.fail(f"a run_id for the second time was answered with {answer.shown()}")
        _require_ids(check, "a run_id for the second time", body, answer)
    _while_it_runs(check)
    return "each its own"


def _while_it_runs(check: CaseContext) -> None:
    callback = check.callback_if_possible()
    if callback is None:
        return
    key = f"conformance:{uuid.uuid4().hex}"
    bodies = [commands.encode(_with_key(tasks.hold, callback.address, key)) for _ in range(2)]
    posts = [check.later(bodies[0])]
    if not callback.arrived(check.patience):
        check.fail(f"a task that waits did not start within {check.patience:g} s", late=True)
    posts.append(check.later(bodies[1]))
    posts[1].done(check.silence(0.02))  # so that it has been read
    callback.release()
    whats = ("a run", "a run with the idempotency key of one that still runs")
    for what, body, post in zip(whats, bodies, posts, strict=True):
        try:
            answer = post.result(check.patience)
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc
        _require_ids(check, what, body, answer)


@frames.should(
    "25",
    f"{sources.CONTRACT} (honor cancellation)",
    scenario="best_effort cancel_task frames for async tasks that wait, whose ids are long, of"
    " digits, or have slashes, quotes, blanks, decomposed letters",
    expected="each task stops, as one with an id in Wove's own form does; ids that no Python name"
    " could have may be refused",
)
def cancels_by_unusual_ids(check: CaseContext) -> str:
    """A cancel_task finds its run whatever the run_id looks like."""
    if not _stopped(check, "in Wove's own form", commands.new_run_id(), check.seconds(STOPS)):
        raise NotApplicable("a cancel_task does not stop an async task", needs=["cancel.03"])
    unusual = [(what, text) for what, text in _unusual() if len(text) > LONG_ENOUGH]
    for what, text in unusual:
        if not _stopped(check, what, text, check.patience):
            check.fail(
                f"an async task with an id {what} still ran {check.patience:g} s after its"
                " cancel_task, unlike one with an id in Wove's own form",
                late=True,
            )
    return f"{len(unusual)} ids"


def _stopped(check: CaseContext, what: str, text: str, within: float) -> bool:
    """Run a task that waits, with ``text`` as its ids, and cancel it; return whether it has stopped
    after ``within`` seconds, or was refused."""
    callback = check.callback()
    frame = commands.run_frame(tasks.hold_async, callback.address, run_id=text, task_id=text)
    post = check.post_later(frame)
    ends = time.monotonic() + check.patience
    while not callback.arrived(WAIT):
        if post.done():
            return True
        if time.monotonic() > ends:
            check.fail(f"a task with an id {what} did not start", late=True)
    cancel = {**commands.cancel_frame(text), "task_id": text}
    check.ask(f"a cancel_task with an id {what}", commands.encode(cancel))
    return callback.ended(within)
