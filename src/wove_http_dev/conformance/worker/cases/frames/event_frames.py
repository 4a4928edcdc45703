"""Frame cases about the event frames that answer a valid run_task."""

from __future__ import annotations

import sys
from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import answers, commands, sources, tasks
from wove_http_dev.conformance.worker.cases.frames import frames
from wove_http_dev.conformance.worker.context import CaseContext


def _events(check: CaseContext, **ids: str) -> list[answers.Event]:
    return check.events(commands.run_frame(tasks.echo, {"value": 1}, **ids))


@frames.must(
    "15",
    sources.PROTOCOL,
    scenario="a task that returns text and, if that fails, one that returns None",
    expected="a task_result that Wove can read, for one of them, within 10 s",
    prerequisite=True,
)
def readable_result(check: CaseContext) -> str:
    """A simple run is answered with a result that Wove can read. All other cases depend on this."""
    try:
        return _read(check, tasks.echo, {"value": "conformance"})
    except CaseFailed as first:
        try:
            return _read(check, tasks.nothing)
        except CaseFailed:  # if both fail, the first message is the clearer one
            raise first from None


def _read(check: CaseContext, function: Any, args: Any = None) -> str:
    what = "a plain run"
    body = commands.encode(commands.run_frame(function, args))
    answer = check.ask(what, body, patience=2 * check.patience)
    events = check.events_in(answer, what)
    found = answers.terminals(events)
    if not any("type" in event for event in events):
        check.fail(
            f"{what} was answered with {answer.shown()}, which is not an event frame: it has no"
            " type"
        )
    if not found:
        check.fail(f"{what} was answered with no terminal frame: {answers.types(events)}")
    try:
        answers.result_of(found[0])
    except CaseFailed as exc:
        version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
        hint = f" (does the service run {version}, like this check, and have cloudpickle?)"
        failed = found[0].get("type") == "task_error"
        check.fail(f"{what}: {exc.actual}{hint if failed else ''}")
    return answers.types(events)


@frames.must(
    "01",
    sources.PROTOCOL,
    scenario="a valid run_task frame",
    expected='JSON: one event frame, a list of them, or {"events": […]}',
)
def json_answer(check: CaseContext) -> str:
    """The answer is JSON in one of the three shapes that Wove reads."""
    answer = check.ask("the run_task POST", commands.encode(commands.run_frame(tasks.nothing)))
    events = check.events_in(answer)
    if not events:
        check.fail(f"there are no event frames in {answer.shown()}")
    document = answer.document()
    shape = "a list" if isinstance(document, list) else "one frame"
    if isinstance(document, dict) and "events" in document:
        shape = "an object with events"
    return f"{shape}: {answers.types(events)}"


@frames.must(
    "02",
    f"{sources.CONTRACT}; {sources.PROTOCOL}",
    scenario="a valid run_task frame",
    expected="exactly one of task_result, task_error, task_cancelled",
)
def one_terminal_frame(check: CaseContext) -> str:
    """A run is answered with exactly one terminal frame."""
    events = _events(check)
    count = len(answers.terminals(events))
    if count != 1:
        number = "no terminal frame" if not count else f"{count} terminal frames"
        check.fail(f"{number}: {answers.types(events)}")
    return answers.types(events)


@frames.must(
    "03",
    sources.CONTRACT,
    scenario="a valid run_task frame",
    expected="its run_id, unchanged, in every event frame",
)
def run_id_echo(check: CaseContext) -> str:
    """Every event frame has the run_id of its run, because Wove finds the task only by the
    run_id."""
    run_id = commands.new_run_id()
    _echoed(check, "run_id", run_id, _events(check, run_id=run_id))
    return run_id


def _echoed(check: CaseContext, name: str, sent: str, events: list[answers.Event]) -> None:
    for event in events:
        if event.get("type") == "log":
            continue
        if name not in event:
            check.fail(f"the {event.get('type')!r} frame has no {name}")
        if event[name] != sent:
            check.fail(
                f"the {event.get('type')!r} frame has a wrong {name}: {event[name]!r:.200}, sent"
                f" {sent!r}"
            )


@frames.must(
    "04",
    sources.CONTRACT,
    scenario="a valid run_task frame",
    expected="its task_id, unchanged, in every event frame",
)
def task_id_echo(check: CaseContext) -> str:
    """Every event frame has the task_id, which is used in error messages and debugging output."""
    task_id = "render_report"
    _echoed(check, "task_id", task_id, _events(check, task_id=task_id))
    return task_id


@frames.must(
    "05",
    sources.CONTRACT,
    scenario="run_id and task_id with non-ASCII letters, quotes, slashes and spaces",
    expected="both unchanged in every event frame",
)
def ids_are_opaque(check: CaseContext) -> str:
    """Ids may contain any characters (a Python name may have any letter) and are returned
    unchanged."""
    run_id = f"größe_\N{CJK UNIFIED IDEOGRAPH-6F22}:{commands.new_run_id()} '/\\\"%2F"
    task_id = "größe_\N{CJK UNIFIED IDEOGRAPH-6F22}"
    events = _events(check, run_id=run_id, task_id=task_id)
    _echoed(check, "run_id", run_id, events)
    _echoed(check, "task_id", task_id, events)
    return "unchanged"


@frames.must(
    "06",
    sources.EVENTS,
    scenario="a valid run_task frame",
    expected="task_started, if any, once and before the terminal frame, which is the last one",
)
def order(check: CaseContext) -> str:
    """Frames are in the order of the events; the terminal frame is the last one."""
    events = _events(check)
    kinds = [event.get("type") for event in events]
    if kinds and kinds[-1] not in answers.TERMINAL:
        check.fail(f"the terminal frame is not the last one: {answers.types(events)}")
    if kinds.count("task_started") > 1:
        check.fail(f"task_started more than once: {answers.types(events)}")
    return answers.types(events)


@frames.must(
    "07",
    f"{sources.EVENTS}; {sources.EXECUTOR}",
    scenario="a valid run_task frame",
    expected="event types that Wove knows",
)
def known_event_types(check: CaseContext) -> str:
    """Every event frame has a type that Wove knows; Wove fails the task at any other type."""
    events = _events(check)
    if any(event.get("type") not in answers.KNOWN for event in events):
        check.fail(f"unknown event types: {answers.types(events)}")
    return answers.types(events)


@frames.should(
    "08",
    "Wove's docs list fields of the command frames, and do not exclude others",
    scenario="a run_task frame with fields that the docs do not list, and every delivery setting; a"
    " cancel_task, with and without such a field",
    expected="the task's result; the same status for both cancel_task frames",
)
def unknown_fields(check: CaseContext) -> str:
    """A command with fields that the service does not know is still carried out."""
    frame = commands.run_frame(tasks.echo, {"value": 8})
    frame["conformance_extra"] = {"any": ["thing", None]}
    frame["delivery"].update(
        delivery_timeout=30.0,
        delivery_idempotency_key="conformance:8",
        delivery_heartbeat_seconds=5.0,
        conformance_extra=1,
    )
    answers.result_of(check.terminal(frame, "a run_task with more fields"))
    cancel = commands.cancel_frame(commands.new_run_id())
    plain = check.ask("a cancel_task", commands.encode(cancel))
    more = check.ask("a cancel_task with more fields", commands.encode({**cancel, "extra": [1]}))
    if more.status != plain.status:
        check.fail(
            f"a cancel_task with more fields was answered with {more.shown()}, and one without them"
            f" with HTTP {plain.status}"
        )
    return "task_result"
