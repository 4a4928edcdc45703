"""Frame cases about frames that Wove does not send, and that a service may accept or reject: it
answers each, and keeps serving. Also about JSON that is right, but not written as Wove writes
it."""

from __future__ import annotations

import json
from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.answers import result_of
from wove_http_dev.conformance.worker.cases.frames import frames
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import AnswerTimeout, NoAnswer

DEPTH = 50_000
JSON = "RFC 8259"
NOT_TEXT: dict[str, Any] = {
    "null": None,
    "a number": 5,
    "true": True,
    "a list": ["x"],
    "an object": {"x": 1},
    "an empty text": "",
}


@frames.must(
    "22",
    f"{sources.HTTP}, 15.5.1; {sources.CONTRACT}",
    scenario="while a task runs: run_task and cancel_task frames whose run_id is null, a number,"
    " true, a list, an object or empty, or whose other fields have wrong types or are missing",
    expected="any answer to each, or none; the task that runs is not cancelled; the service keeps"
    " serving",
)
def fields_of_wrong_types(check: CaseContext) -> str:
    """A field that is missing or of a wrong type ends neither the service nor the run of another
    client."""
    callback = check.callback_if_possible()
    if callback is not None:
        check.post_later(commands.run_frame(tasks.hold_async, callback.address))
        if not callback.arrived(check.patience):
            check.fail(f"a task that waits did not start within {check.patience:g} s", late=True)
    for what, frame in _wrong_types():
        seen = _answered(check, what, commands.encode(frame))
        cancels = frame["type"] == "cancel_task"
        if cancels and callback is not None and not callback.alive():
            check.fail(f"{what} ended a run that it does not name")
    check.still_serves("frames with fields of wrong types")
    return seen


def _answered(check: CaseContext, what: str, body: bytes) -> str:
    """Send ``body`` and return a text about the answer. The connection may be closed instead:
    frames.14 is about the status."""
    try:
        return f"HTTP {check.post(body).status}"
    except AnswerTimeout as exc:
        raise CaseFailed(f"{what}: {exc}") from exc
    except NoAnswer as exc:
        return str(exc)


def _wrong_types() -> list[tuple[str, dict[str, Any]]]:
    """Return frames with a field that is missing or of a wrong type, each with a name."""
    run, cancel = commands.run_frame(tasks.nothing), commands.cancel_frame("x")
    unnamed = {name: value for name, value in cancel.items() if name != "run_id"}
    found: list[tuple[str, dict[str, Any]]] = [("a cancel_task without run_id", unnamed)]
    for what, value in NOT_TEXT.items():
        found.append((f"a cancel_task with {what} as run_id", {**cancel, "run_id": value}))
        found.append((f"a run_task with {what} as run_id", {**run, "run_id": value}))
    for name in ("task_id", "delivery", "args_pickle"):
        new = commands.run_frame(tasks.nothing)
        del new[name]
        found.append((f"a run_task without {name}", new))
    for name in ("task_id", "delivery_cancel_mode"):
        new = commands.cancel_frame(commands.new_run_id())
        del new[name]
        found.append((f"a cancel_task without {name}", new))
    for what, value in (("a list", ["run_task"]), ("an object", {"run_task": 1})):
        found.append((f"a frame with {what} as type", {**run, "type": value}))
    for what, value in (("a number", 5), ("a list", ["x"])):
        new = commands.run_frame(tasks.nothing)
        found.append((f"a run_task with {what} as task_id", {**new, "task_id": value}))
        new = commands.run_frame(tasks.nothing)
        found.append((f"a run_task with {what} as delivery", {**new, "delivery": value}))
        mode = {**commands.cancel_frame(commands.new_run_id()), "delivery_cancel_mode": value}
        found.append((f"a cancel_task with {what} as delivery_cancel_mode", mode))
    return found


@frames.must(
    "23",
    f"{JSON}, 2, 7 and 8; {sources.PROTOCOL}",
    scenario="run_task frames as JSON in other words: with white space, with escapes in names and"
    " values, with letters that are not escaped, with the fields in another order",
    expected="the task's result each time",
)
def json_in_other_words(check: CaseContext) -> str:
    """The body is read as JSON, in whatever way it is written."""
    for what, body in _other_words():
        event = check.terminal_in(check.ask(what, body), what)
        if result_of(event) != 8:
            check.fail(f"{what} gave another result")
    return "run"


def _other_words() -> list[tuple[str, bytes]]:
    def frame() -> dict[str, Any]:
        return commands.run_frame(tasks.echo, {"value": 8})

    letters = {**frame(), "conformance_extra": "gr\N{LATIN SMALL LETTER O WITH DIAERESIS}\u2028"}
    escaped = commands.encode(frame()).replace(
        b'"type":"run_task"', rb'"\u0074ype":"run\u005ftask"'
    )
    backwards = dict(reversed(frame().items()))
    return [
        ("JSON with white space", b"\r\n\t " + json.dumps(frame(), indent=4).encode() + b" \n"),
        ("JSON with escapes in the type", escaped),
        (
            "JSON with letters that are not escaped",
            json.dumps(letters, ensure_ascii=False).encode(),
        ),
        ("JSON with its fields in another order", commands.encode(backwards)),
    ]


@frames.must(
    "24",
    f"{JSON}, 4, 6 and 8; {sources.CWE_EXHAUSTION}",
    scenario="JSON with a byte order mark, in UTF-16, with a field twice, with a number of 5000"
    " digits, with NaN, with infinity, with half of a surrogate pair, with something behind it; a"
    f" field and a cancel_task nested {DEPTH} levels deep; a frame of type 'shutdown'",
    expected="a result, a rejection or none, each time; the service keeps serving",
)
def odd_json(check: CaseContext) -> str:
    """JSON that parsers disagree about is read or rejected, and the service keeps serving."""
    for what, body in odd_bodies():
        seen = _answered(check, what, body)
    check.still_serves("JSON that parsers disagree about")
    return seen


def odd_bodies() -> list[tuple[str, bytes]]:
    """Return bodies of which one JSON parser makes a frame and another an error, each with a
    name."""

    def body(**more: Any) -> bytes:
        return commands.encode({**commands.run_frame(tasks.nothing), **more})

    def with_value(value: bytes) -> bytes:
        return body(conformance_extra=0).replace(b'"conformance_extra":0', b'"x":' + value)

    deep = b"[" * DEPTH + b"]" * DEPTH
    cancel = commands.encode(commands.cancel_frame(commands.new_run_id()))
    return [
        ("JSON with a byte order mark", b"\xef\xbb\xbf" + body()),
        ("JSON in UTF-16", body().decode().encode("utf-16")),
        ("a run_task with a type twice", body().replace(b"{", b'{"type":"cancel_task",', 1)),
        ("a run_task with a run_id twice", body().replace(b"{", b'{"run_id":5,', 1)),
        ("a number of 5000 digits", with_value(b"1" * 5000)),
        ("a number that is NaN", with_value(b"NaN")),
        ("a number that is infinite", with_value(b"[Infinity,-Infinity,1e400]")),
        ("a text with half of a surrogate pair", with_value(rb'"\ud83d"')),
        ("JSON with something behind it", body() + b"}"),
        (f"a field nested {DEPTH} levels deep", with_value(deep)),
        (f"a cancel_task nested {DEPTH} levels deep", cancel[:-1] + b',"x":' + deep + b"}"),
        ("a frame of type 'shutdown'", body(type="shutdown")),
    ]
