"""Reads the event frames in an answer: their form, the terminal frame (which ends the run), and the
result or error in it.

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
    """Return the event frames of ``answer``, which may have any of the three forms that Wove's
    executor reads.

    Raises :class:`CaseFailed` if Wove could not read them; the message calls the answer ``what``.
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
    """Return those of ``events`` that end a run, such as ``task_result`` or ``task_error``."""
    return [event for event in events if event.get("type") in TERMINAL]


def acknowledged_cancel(answer: HttpResponse, what: str) -> bool:
    """Return whether ``answer`` contains a ``task_cancelled`` frame; ``False`` if the answer is
    empty or has an error status. The message of a failure calls it ``what``."""
    if not answer.ok or not answer.body.strip():
        return False
    return any(event.get("type") == "task_cancelled" for event in events_of(answer, what))


def types(events: list[Event]) -> str:
    """Return the types of ``events``, separated by commas, for messages."""
    kinds = [repr(e["type"])[:40] if "type" in e else "an object without type" for e in events[:12]]
    return ", ".join(kinds) or "no event frames"


def result_of(event: Event, limit: int = LIMIT) -> Any:
    """Return the value in ``event``, a ``task_result`` frame. Its pickle may have at most ``limit``
    bytes.

    Raises :class:`CaseFailed` if ``event`` is another frame.
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
    """Return the ``error`` in a ``task_error`` frame, unpickled if necessary; ``None`` if the frame
    has none."""
    if "error_pickle" not in event:
        return event.get("error")
    try:
        return load(event["error_pickle"])
    except (Refused, Unloadable) as exc:
        raise CaseFailed(f"error_pickle: {exc}") from exc


def error_payload(event: Event) -> Mapping[str, Any]:
    """Return the same as :func:`error_value`, but always as an object: a string becomes its
    ``message``, and anything else an empty object."""
    value = error_value(event)
    if isinstance(value, str):
        return {"message": value}
    return value if isinstance(value, dict) else {}


def exception_of(event: Event) -> BaseException | None:
    """Return the exception in a ``task_error`` frame; ``None`` if the frame has none, or if the
    exception's class is not built-in.

    Raises :class:`Unloadable` if the pickle is so broken that Wove's executor could not load it
    either.
    """
    if "exception_pickle" not in event:
        return None
    try:
        value = load(event["exception_pickle"])
    except Refused:
        return None
    return value if isinstance(value, BaseException) else None


def error_text(event: Event) -> str:
    """Return everything that a ``task_error`` frame says about the error, in one string."""
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
