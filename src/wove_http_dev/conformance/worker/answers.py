"""Reads the event frames in an answer: their shape, the terminal frame, its result or error.

Pickles are loaded with ``unpickling.load``, and only if a case needs the value.
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
    """Return the event frames of ``answer``, in any of the three shapes that Wove's executor reads.

    Raises :class:`CaseFailed` if Wove could not read them; ``what`` names the answer in the
    message.
    """
    coding = answer.header("Content-Encoding").strip().lower()
    if coding not in ("", "identity"):
        raise CaseFailed(
            f"{what} has Content-Encoding: {coding}, which Wove does not decode",
            expected="a JSON answer without Content-Encoding",
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
    """Return the terminal frames among ``events``."""
    return [event for event in events if event.get("type") in TERMINAL]


def acknowledged_cancel(answer: HttpResponse, what: str) -> bool:
    """Whether ``answer`` holds a ``task_cancelled`` frame. ``False`` for an empty answer or an
    error status."""
    if not answer.ok or not answer.body.strip():
        return False
    return any(event.get("type") == "task_cancelled" for event in events_of(answer, what))


def types(events: list[Event]) -> str:
    """The types of ``events``, comma-separated, for messages."""
    kinds = [repr(e["type"])[:40] if "type" in e else "an object without type" for e in events[:12]]
    return ", ".join(kinds) or "no event frames"


def result_of(event: Event, limit: int = LIMIT) -> Any:
    """Return the value in a ``task_result`` frame; its pickle may have at most ``limit`` bytes.

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
    """Like :func:`error_value`, but always an object: a string becomes its ``message``, any other
    value an empty object."""
    value = error_value(event)
    if isinstance(value, str):
        return {"message": value}
    return value if isinstance(value, dict) else {}


def exception_of(event: Event) -> BaseException | None:
    """Return the exception in a ``task_error`` frame, or ``None`` if there is none or its class is
    not built-in.

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
    """Everything that a frame says about an error, in one string."""
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
