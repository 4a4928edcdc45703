"""Frame cases about bad command frames: the service rejects each with an error status, and keeps
serving."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from wove_http_dev.conformance.worker import answers, commands, pickles, sources, tasks
from wove_http_dev.conformance.worker.cases.frames import frames
from wove_http_dev.conformance.worker.cases.frames.odd_frames import odd_bodies
from wove_http_dev.conformance.worker.context import CaseContext

REJECTION = "an error status, preferably 400; the service keeps serving"


BadFrames = Iterator[tuple[str, bytes | dict[str, Any]]]


def rejects(
    *, then: str = ""
) -> Callable[[Callable[[CaseContext], BadFrames]], Callable[[CaseContext], str]]:
    """Return a decorator that turns a generator into the body of a case. The generator yields pairs
    of a name and a bad body or frame, and the service must reject each. If ``then`` is given, a
    task must run afterwards; ``then`` names the cause in the message if it does not."""

    def make(bad_frames: Callable[[CaseContext], BadFrames]) -> Callable[[CaseContext], str]:
        @functools.wraps(bad_frames)
        def body(check: CaseContext) -> str:
            seen = ""
            for what, frame in bad_frames(check):
                seen = rejected(check, what, frame)
            if then:
                check.still_serves(then)
            return seen

        return body

    return make


def rejected(check: CaseContext, what: str, frame: bytes | dict[str, Any]) -> str:
    """Send ``frame``, require an error status, and return a text about the answer. Messages call
    the frame ``what``.

    If the frame is an object with a run_id, a task_error for this run is accepted too, because it
    ends the run.
    """
    answer = check.ask(what, frame if isinstance(frame, bytes) else commands.encode(frame))
    if answer.status >= 400:
        return f"HTTP {answer.status}"
    run_id = frame.get("run_id") if isinstance(frame, dict) else None
    if run_id and answer.ok:
        for event in answers.terminals(answers.events_of(answer)):
            if event.get("type") == "task_error" and event.get("run_id") == run_id:
                return "task_error"
    check.fail(f"{what} was not rejected: {answer.shown()}")


@frames.must(
    "09",
    f"{sources.HTTP}, 15.5.1; {sources.CONTRACT}",
    scenario="bodies that are not JSON: empty, cut off, not UTF-8, a pickle",
    expected=REJECTION,
)
@rejects(then="bodies that are not frames")
def malformed_json(check: CaseContext) -> BadFrames:
    """A body that is not JSON is rejected with an error status."""
    whole = commands.encode(commands.run_frame(tasks.nothing))
    yield "an empty body", b""
    yield "malformed JSON (cut off)", whole[: len(whole) // 2]
    yield "a body that is not UTF-8", whole.replace(b'"task_id":"', b'"task_id":"\xff\xfe')
    yield "a bare pickle", pickles.pickled({"type": "run_task"})


@frames.must(
    "10",
    f"{sources.HTTP}, 15.5.1; {sources.PROTOCOL}",
    scenario="JSON that is not an object: a list, a string, a number, null",
    expected=REJECTION,
)
@rejects(then="bodies that are not frames")
def not_an_object(check: CaseContext) -> BadFrames:
    """A command frame is a JSON object; other JSON is rejected with an error status."""
    values: list[Any] = [[commands.run_frame(tasks.nothing)], "run_task", 5, None]
    for value in values:
        yield f"JSON that is a {type(value).__name__}", commands.encode(value)


@frames.must(
    "11",
    f"{sources.HTTP}, 15.5.1; {sources.EVENTS}",
    scenario="run_task frames without type, run_id or callable_pickle, or with a number, a list, an"
    " object or true as callable_pickle or args_pickle, or null as callable_pickle",
    expected="an error status, or a task_error for the run_id; the service keeps serving",
)
@rejects(then="run_task frames that lack a field")
def missing_fields(check: CaseContext) -> BadFrames:
    """A run_task without one of the fields that are needed to run it is rejected."""
    for name in ("type", "run_id", "callable_pickle"):
        frame = commands.run_frame(tasks.nothing)
        del frame[name]
        yield f"a run_task without {name}", frame
    values: dict[str, Any] = {"a number": 5, "a list": ["x"], "an object": {"x": 1}, "true": True}
    for name in ("callable_pickle", "args_pickle"):
        for what, value in values.items():
            frame = {**commands.run_frame(tasks.nothing), name: value}
            yield f"a run_task with {what} as {name}", frame
    yield "a run_task with null as callable_pickle", {**frame, "callable_pickle": None}


@frames.must(
    "12",
    f"{sources.HTTP}, 15.5.1; {sources.PROTOCOL}",
    scenario="callable_pickle and args_pickle that are not base64",
    expected="an error status, or a task_error for the run_id; the service keeps serving",
)
@rejects(then="payloads that are not base64")
def bad_base64(check: CaseContext) -> BadFrames:
    """A payload that is not base64 is rejected."""
    for name in ("callable_pickle", "args_pickle"):
        for text in ("a", "gASVé", "====="):
            frame = {**commands.run_frame(tasks.nothing), name: text}
            yield f"{name} {text!r} (not base64)", frame


@frames.must(
    "13",
    f"{sources.CONTRACT} (unsupported commands are not dropped silently)",
    scenario="frames of types that are no command: 'run_everything', '', null, 'RUN_TASK', "
    "'run_task ', 'task_result', 'cancel', 0, true",
    expected=f"{REJECTION}; their tasks do not run",
)
def unknown_command(check: CaseContext) -> str:
    """A frame of an unknown type is rejected, not dropped silently and not run."""
    kinds: tuple[Any, ...] = ("run_everything", "", None, "RUN_TASK", "run_task ", "task_result")
    sent = []
    for kind in (*kinds, "cancel", 0, True):
        callback = check.callback_if_possible()
        frame = (
            commands.run_frame(tasks.report_back, callback.address)
            if callback is not None
            else commands.run_frame(tasks.nothing)
        )
        what = f"a frame of unknown type {kind!r}"
        sent.append((what, callback, rejected(check, what, {**frame, "type": kind})))
    check.still_serves("frames of unknown types")
    for what, callback, seen in sent:
        if callback is not None and callback.counted():
            check.fail(f"the task in {what} ran, though the frame was rejected ({seen})")
    return sent[-1][2]


@frames.should(
    "14",
    f"{sources.HTTP}, 15.5.1",
    scenario="malformed JSON, a list, a number, null, a frame without run_id, an unknown command,"
    " fields of wrong types; JSON that parsers disagree about: a number of 5000 digits, NaN, deep"
    " nesting, … (frames.24)",
    expected="a 4xx status: the mistake is the client's; a result, if the JSON is read",
)
def rejection_status(check: CaseContext) -> str:
    """A bad frame is answered with a 4xx status, because the mistake is the client's."""
    whole, cancel = commands.run_frame(tasks.nothing), commands.cancel_frame("x")
    nameless = {name: value for name, value in whole.items() if name != "run_id"}
    unknown = {**whole, "type": "run_everything"}
    wrong = []
    for what, body in (
        ("malformed JSON", b'{"type": "run_task"'),
        *((f"{body.decode()} as the whole body", body) for body in (b"[]", b"5", b"null", b'""')),
        ("a run_task without run_id", commands.encode(nameless)),
        ("an unknown command", commands.encode(unknown)),
        ("a body that is not UTF-8", b'{"type": "run_task", "run_id": "\xff"}'),
        ("a list as type", commands.encode({**unknown, "type": ["run_task"]})),
        ("a list as run_id", commands.encode({**nameless, "run_id": ["x"]})),
        ("a number as callable_pickle", commands.encode({**whole, "callable_pickle": 5})),
        ("a cancel_task with a list as run_id", commands.encode({**cancel, "run_id": ["x"]})),
        *odd_bodies(),
    ):
        answer = check.ask(what, body)
        if answer.status >= 500:
            wrong.append(f"{what}: {answer.shown()}")
    if wrong:
        check.fail("; ".join(wrong))
    return "4xx"


# Wove's own stdio worker skips such characters.
@frames.should(
    "16",
    f"{sources.BASE64}: what holds characters outside the alphabet must be rejected",
    scenario="a valid callable_pickle with four asterisks in it",
    expected="an error status, or a task_error for the run_id",
)
@rejects()
def strict_base64(check: CaseContext) -> BadFrames:
    """Characters outside the base64 alphabet are an error; they are not skipped."""
    frame = commands.run_frame(tasks.nothing)
    text = str(frame["callable_pickle"])
    frame["callable_pickle"] = f"{text[:8]}****{text[8:]}"
    yield "a callable_pickle with '*' in it (not base64)", frame
