"""Reads the event frames in an answer: their shape, the terminal frame, its result or error.

A pickle is loaded only where a case needs the value, by ``unpickling``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker.unpickling import LIMIT, Refused, Unloadable, brief, load
from wove_http_dev.conformance.worker.wire import HttpResponse

TERMINAL = ("task_result", "task_error", "task_cancelled")
KNOWN = (*TERMINAL, "task_started", "heartbeat", "log")
Event = Mapping[str, Any]


def events_of(answer: HttpResponse, what: str = "the answer") -> list[Event]:
    """The event frames of ``answer``, in any of the three shapes that Wove's executor reads.

    Raises :class:`CaseFailed`, which calls the answer ``what``, if Wove could not read them.
    """
    coding = answer.header("Content-Encoding").strip().lower()
    if coding not in ("", "identity"):
        raise CaseFailed(
            f"{what} has Content-Encoding: {coding}, which was not asked for",
            expected="a JSON answer as it is",
        )
    try:
        document = answer.document()
    except (ValueError, RecursionError) as exc:
        raise CaseFailed(
            f"{what} {_not_json(answer, exc)}: {answer.shown()}", expected="a JSON answer"
        ) from exc
    if isinstance(document, dict) and "events" in document:
        events = document["events"]
    elif isinstance(document, list):
        events = document
    else:
        events = [document]
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise CaseFailed(
            f"{what} does not hold event frames: {answer.shown()}",
            expected="one event frame, a list of them, or an object with an events list",
        )
    return events


def _not_json(answer: HttpResponse, error: Exception) -> str:
    size = len(answer.body)
    if size and _cut_off(error):
        hint = "; does Content-Length count characters instead of bytes?"
        counted = answer.header("Content-Length") == str(size)
        return f"is JSON that ends in the middle, after {size} bytes{hint if counted else ''}"
    if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
        return "holds more than one JSON value"
    return f"is not JSON ({type(error).__name__})"


def _cut_off(error: Exception) -> bool:
    if isinstance(error, json.JSONDecodeError):
        return error.msg.startswith("Unterminated") or 0 < len(error.doc.rstrip()) <= error.pos
    return isinstance(error, UnicodeDecodeError) and error.reason == "unexpected end of data"


def terminals(events: list[Event]) -> list[Event]:
    """The terminal frames among ``events``."""
    return [event for event in events if event.get("type") in TERMINAL]


def acknowledged_cancel(answer: HttpResponse, what: str) -> bool:
    """Whether ``answer`` says that a task was cancelled; an empty or error answer does not."""
    if not answer.ok or not answer.body.strip():
        return False
    return any(event.get("type") == "task_cancelled" for event in events_of(answer, what))


def types(events: list[Event]) -> str:
    """The types of ``events`` as a text."""
    kinds = [repr(e["type"])[:40] if "type" in e else "an object without type" for e in events[:12]]
    return ", ".join(kinds) or "no event frames"


def result_of(event: Event, limit: int = LIMIT) -> Any:
    """The value in a ``task_result`` frame, pickled to at most ``limit`` bytes.

    Raises :class:`CaseFailed` for any other frame.
    """
    if event.get("type") != "task_result":
        raise CaseFailed(f"the terminal frame is {event.get('type')!r}: {error_text(event)}")
    if "result_pickle" not in event:
        return event.get("result")
    try:
        return load(event["result_pickle"], limit)
    except (Refused, Unloadable) as exc:
        raise CaseFailed(f"result_pickle: {exc}") from exc


def error_value(event: Event) -> Any:
    """The ``error`` of a ``task_error`` frame, plain or pickled; ``None`` if there is none."""
    if "error_pickle" not in event:
        return event.get("error")
    try:
        return load(event["error_pickle"])
    except (Refused, Unloadable) as exc:
        raise CaseFailed(f"error_pickle: {exc}") from exc


def error_payload(event: Event) -> Mapping[str, Any]:
    """:func:`error_value` as an object: a text becomes its message, anything else an empty one."""
    value = error_value(event)
    if isinstance(value, str):
        return {"message": value}
    return value if isinstance(value, dict) else {}


def exception_of(event: Event) -> BaseException | None:
    """The exception in a ``task_error`` frame, or ``None`` if there is none or it is of a class
    that this checker does not build.

    Raises :class:`Unloadable` if Wove's executor could not load it either.
    """
    if "exception_pickle" not in event:
        return None
    try:
        value = load(event["exception_pickle"])
    except Refused:
        return None
    return value if isinstance(value, BaseException) else None


def error_text(event: Event) -> str:
    """Everything that a frame says about an error, as one text."""
    try:
        parts = [brief(value) for value in error_payload(event).values()]
        message = error_payload(event).get("message")
        if isinstance(message, str):
            parts.append(message[:2000])
    except CaseFailed as exc:
        parts = [exc.actual]
    try:
        exception = exception_of(event)
    except Unloadable as exc:
        parts.append(str(exc))
    else:
        parts += [brief(exception)] if exception is not None else []
        parts += [arg[:2000] for arg in getattr(exception, "args", ()) if isinstance(arg, str)]
    return " | ".join(parts) or "nothing about an error"
