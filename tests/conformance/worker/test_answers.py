"""Reading event frames from an answer."""

from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import pytest

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import answers
from wove_http_dev.conformance.worker.wire import HttpResponse


def answer(body: bytes, *headers: tuple[str, str], status: int = 200) -> HttpResponse:
    """Return an answer with ``body``."""
    return HttpResponse(status, headers, body)


def pickled(value: Any) -> str:
    """Return ``value`` in the base64 form of a ``*_pickle`` field."""
    return base64.b64encode(pickle.dumps(value)).decode()


FRAME = {"type": "task_result", "run_id": "r"}


@pytest.mark.parametrize("document", [FRAME, [FRAME], {"events": [FRAME]}])
def test_three_shapes_are_read(document: Any) -> None:
    """One frame, a list of frames, and an object with a list are read."""
    assert answers.events_of(answer(json.dumps(document).encode())) == [FRAME]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", r"is not JSON"),
        (b'{"type": "task_re', r"JSON that ends in the middle, after 17 bytes"),
        (b"{}{}", r"more than one JSON value"),
        (b"5", r"does not hold event frames"),
        (b'{"events": {}}', r"does not hold event frames"),
    ],
)
def test_what_cannot_be_read_fails_the_case(body: bytes, says: str) -> None:
    """The message says why the answer cannot be read."""
    with pytest.raises(CaseFailed, match=says):
        answers.events_of(answer(body))


def test_a_body_cut_off_at_its_content_length_has_a_hint() -> None:
    """The message asks whether Content-Length counts characters instead of bytes."""
    with pytest.raises(CaseFailed, match="does Content-Length count characters"):
        answers.events_of(answer(b'{"a": "b', ("Content-Length", "8")))


def test_a_content_encoding_fails_the_case() -> None:
    """An answer with a Content-Encoding fails the case."""
    with pytest.raises(CaseFailed, match="Content-Encoding: gzip"):
        answers.events_of(answer(b"{}", ("Content-Encoding", "gzip")))


def test_terminal_frames_are_three() -> None:
    """A ``task_started`` or ``log`` frame is not a terminal frame."""
    kinds = ("task_started", "task_result", "log", "task_cancelled")
    events: list[answers.Event] = [{"type": kind} for kind in kinds]
    assert [e["type"] for e in answers.terminals(events)] == ["task_result", "task_cancelled"]


@pytest.mark.parametrize(
    ("body", "status", "expected"),
    [
        (b'{"type": "task_cancelled"}', 200, True),
        (b'{"type": "task_result"}', 200, False),
        (b'{"type": "task_cancelled"}', 500, False),
        (b" ", 200, False),
    ],
)
def test_an_acknowledgement_is_a_frame_in_a_2xx_answer(
    body: bytes, status: int, expected: bool
) -> None:
    """An empty answer or an error status does not acknowledge a cancel_task."""
    assert answers.acknowledged_cancel(answer(body, status=status), "it") is expected


@pytest.mark.parametrize("field", [{"result": 7}, {"result_pickle": pickled(7)}])
def test_a_result_is_plain_or_pickled(field: dict[str, Any]) -> None:
    """Plain and pickled results are read, because Wove reads both."""
    assert answers.result_of({**FRAME, **field}) == 7


def test_a_frame_without_a_result_fails_the_case() -> None:
    """The message has the error that the frame contains."""
    frame = {"type": "task_error", "error": {"message": "no luck"}}
    with pytest.raises(CaseFailed, match=r"'task_error': .*no luck"):
        answers.result_of(frame)


@pytest.mark.parametrize(
    ("error", "payload"),
    [({"kind": "K"}, {"kind": "K"}), ("text", {"message": "text"}), (5, {}), (None, {})],
)
def test_an_error_as_an_object(error: Any, payload: dict[str, Any]) -> None:
    """A string becomes the message of an error object."""
    assert answers.error_payload({"error": error}) == payload


def test_a_built_in_exception_is_loaded() -> None:
    """A built-in exception in exception_pickle is loaded."""
    found = answers.exception_of({"exception_pickle": pickled(ValueError("v"))})
    assert (type(found), getattr(found, "args", None)) == (ValueError, ("v",))


def test_an_exception_of_another_class_is_not_loaded() -> None:
    """An exception that is not built-in is not loaded."""
    assert (
        answers.exception_of({"exception_pickle": pickled(json.JSONDecodeError("", "", 0))}) is None
    )


def test_the_text_of_an_error_has_all_of_its_parts() -> None:
    """The text has the error object and the exception."""
    frame = {"error": {"kind": "K"}, "exception_pickle": pickled(ValueError("v"))}
    text = answers.error_text(frame)
    assert ("'K'" in text, "ValueError" in text) == (True, True)


def test_many_types_are_shown_in_short() -> None:
    """A message lists at most twelve types."""
    assert answers.types([{"type": "log"}] * 100).count("log") == 12
