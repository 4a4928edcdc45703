"""Frame cases about bad frames: rejected with an error status, and survived."""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.worker import answers, commands, sources, tasks
from wove_http_dev.conformance.worker.cases.frames import frames
from wove_http_dev.conformance.worker.context import CaseContext

REJECTION = "an error status, 400 at best; the service goes on"


def rejected(check: CaseContext, what: str, body: bytes, run_id: str = "") -> str:
    """Require that a bad frame is answered with an error status.

    With the ``run_id`` known, a task_error for it does as well: the weave gets its outcome.
    """
    answer = check.ask(what, body)
    if answer.status >= 400:
        return f"HTTP {answer.status}"
    if run_id and answer.ok:
        for event in answers.terminals(answers.events_of(answer)):
            if event.get("type") == "task_error" and event.get("run_id") == run_id:
                return "task_error"
    check.fail(f"{what} was not rejected: {answer.shown()}")


def _bodies_rejected(check: CaseContext, bodies: dict[str, bytes]) -> str:
    for what, body in bodies.items():
        seen = rejected(check, what, body)
    check.still_serves("bodies that are no frame")
    return seen


@frames.must(
    "09",
    f"{sources.HTTP}, 15.5.1; {sources.CONTRACT}",
    scenario="bodies that are not JSON: empty, cut off, not UTF-8, a pickle",
    expected=REJECTION,
)
def malformed_json(check: CaseContext) -> str:
    """A body that is not JSON is rejected with an error status."""
    whole = commands.encode(commands.run_frame(tasks.nothing))
    return _bodies_rejected(
        check,
        {
            "an empty body": b"",
            "malformed JSON (cut off)": whole[: len(whole) // 2],
            "a body that is not UTF-8": b'{"type": "run_task", "run_id": "\xff\xfe"}',
            "a bare pickle": tasks.pickled({"type": "run_task"}),
        },
    )


@frames.must(
    "10",
    f"{sources.HTTP}, 15.5.1; {sources.PROTOCOL}",
    scenario="JSON that is no object: a list, a string, a number, null",
    expected=REJECTION,
)
def not_an_object(check: CaseContext) -> str:
    """A command frame is a JSON object; other JSON is rejected with an error status."""
    frame = commands.run_frame(tasks.nothing)
    bodies: list[Any] = [[frame], "run_task", 5, None]
    return _bodies_rejected(
        check,
        {f"JSON that is a {type(v).__name__}": commands.encode(v) for v in bodies},
    )


@frames.must(
    "11",
    f"{sources.HTTP}, 15.5.1; {sources.EVENTS}",
    scenario="run_task frames without type, run_id or callable_pickle, or with a number for the"
    " last",
    expected="an error status, or a task_error for the run_id; the service goes on",
)
def missing_fields(check: CaseContext) -> str:
    """A run_task that lacks a field it cannot be run without is rejected."""
    for name in ("type", "run_id", "callable_pickle"):
        frame = commands.run_frame(tasks.nothing)
        del frame[name]
        run_id = str(frame.get("run_id", ""))
        seen = rejected(check, f"a run_task without {name}", commands.encode(frame), run_id)
    frame = {**commands.run_frame(tasks.nothing), "callable_pickle": 5}
    what = "a run_task with a number as callable_pickle"
    rejected(check, what, commands.encode(frame), str(frame["run_id"]))
    check.still_serves("run_task frames that lack a field")
    return seen


@frames.must(
    "12",
    f"{sources.HTTP}, 15.5.1; {sources.PROTOCOL}",
    scenario="callable_pickle and args_pickle that are not base64",
    expected="an error status, or a task_error for the run_id; the service goes on",
)
def bad_base64(check: CaseContext) -> str:
    """A payload that is not base64 is rejected."""
    for name in ("callable_pickle", "args_pickle"):
        for text in ("a", "gASVé", "====="):
            frame = {**commands.run_frame(tasks.nothing), name: text}
            seen = rejected(
                check,
                f"{name} {text!r}, which is not base64,",
                commands.encode(frame),
                str(frame["run_id"]),
            )
    check.still_serves("payloads that are not base64")
    return seen


@frames.must(
    "13",
    f"{sources.CONTRACT} (unsupported commands are not dropped silently)",
    scenario="frames of type 'run_everything', '' and null",
    expected=REJECTION,
)
def unknown_command(check: CaseContext) -> str:
    """A frame of an unknown type is rejected, not dropped silently and not run."""
    for kind in ("run_everything", "", None):
        frame = {**commands.run_frame(tasks.nothing), "type": kind}
        seen = rejected(
            check,
            f"a frame of unknown type {kind!r}",
            commands.encode(frame),
            str(frame["run_id"]),
        )
    check.still_serves("frames of unknown types")
    return seen


@frames.should(
    "14",
    f"{sources.HTTP}, 15.5.1",
    scenario="malformed JSON, a frame without run_id, an unknown command",
    expected="a 4xx status: the mistake is the client's",
)
def rejection_status(check: CaseContext) -> str:
    """A bad frame is the client's mistake: 4xx, where 5xx would say that the service failed."""
    nameless = commands.run_frame(tasks.nothing)
    del nameless["run_id"]
    unknown = {**commands.run_frame(tasks.nothing), "type": "run_everything"}
    wrong = []
    for what, body in (
        ("malformed JSON", b'{"type": "run_task"'),
        ("a run_task without run_id", commands.encode(nameless)),
        ("an unknown command", commands.encode(unknown)),
    ):
        answer = check.ask(what, body)
        if answer.status >= 500:
            wrong.append(f"{what}: {answer.shown()}")
    if wrong:
        check.fail("; ".join(wrong))
    return "4xx"


# Wove's own stdio worker skips such characters
@frames.should(
    "16",
    f"{sources.BASE64}: what holds characters outside the alphabet must be rejected",
    scenario="a valid callable_pickle with four asterisks in it",
    expected="an error status, or a task_error for the run_id",
)
def strict_base64(check: CaseContext) -> str:
    """Characters that base64 does not have are an error, and not skipped."""
    frame = commands.run_frame(tasks.nothing)
    text = str(frame["callable_pickle"])
    frame["callable_pickle"] = f"{text[:8]}****{text[8:]}"
    what = "a callable_pickle with '*' in it, which base64 does not have,"
    return rejected(check, what, commands.encode(frame), str(frame["run_id"]))
