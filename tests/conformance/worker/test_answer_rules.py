"""The rules for every answer."""

from __future__ import annotations

import base64
import json
import pickle
from typing import Any

import pytest

from wove_http_dev.conformance.worker.answer_rules import (
    Command,
    Sent,
    breaches,
    read_request,
    reveals,
)
from wove_http_dev.conformance.worker.wire import HttpResponse

RUN = Command("run_task", "r", "t")
CANCEL = Command("cancel_task", "r", "t")
IDS = {"run_id": "r", "task_id": "t"}
STARTED, RESULT = {"type": "task_started", **IDS}, {"type": "task_result", **IDS}
JSON = ("Content-Type", "application/json")


def answer(document: Any, *headers: tuple[str, str], status: int = 200) -> HttpResponse:
    """Return a JSON answer with ``document``."""
    return HttpResponse(status, (JSON, *headers), json.dumps(document).encode())


def found(command: Command | None, response: HttpResponse, version: str = "HTTP/1.1") -> str:
    """Return all breaches in ``response`` as a text."""
    return "; ".join(f"{rule}: {text}" for rule, text in breaches(Sent(version, command), response))


@pytest.mark.parametrize(
    ("command", "document"),
    [
        (RUN, [STARTED, RESULT]),
        (RUN, RESULT),
        (RUN, {"events": [{"type": "heartbeat", **IDS}, STARTED, {"type": "log"}, RESULT]}),
        (CANCEL, []),
        (CANCEL, {"cancelled": True}),
        (CANCEL, [{"type": "task_cancelled", **IDS}]),
        (None, {"anything": 1}),
    ],
)
def test_a_good_answer_breaks_no_rule(command: Command | None, document: Any) -> None:
    """What Wove reads without harm breaks no rule."""
    assert found(command, answer(document)) == ""


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "readable: the answer has no event frames"),
        ("text", "readable: the answer does not hold event frames"),
        ([{**RESULT, "run_id": "s"}], "ids: the 'task_result' frame has a wrong run_id: 's', sent"),
        ([{"type": "task_result", "run_id": "r"}], "ids: the 'task_result' frame has no task_id"),
        (
            [{**RESULT, "error_pickle": None}],
            "readable: the error_pickle of the 'task_result' frame is not base64",
        ),
        ([{**RESULT, "result_pickle": "gAV"}], "readable: the result_pickle of the 'task_res"),
        (
            [{**RESULT, "result_pickle": ""}],
            "readable: the result_pickle of the 'task_result' frame is not base64",
        ),
        ([STARTED], "frames: no terminal frame: 'task_started'"),
        ([RESULT, RESULT], "frames: 2 terminal frames"),
        ([RESULT, STARTED], "frames: the terminal frame is not the last one"),
        ([STARTED, STARTED, RESULT], "frames: task_started more than once"),
        ([{"type": "progress", **IDS}, RESULT], "frames: an unknown event type: 'progress'"),
    ],
)
def test_what_is_wrong_with_the_answer_to_a_run(document: Any, says: str) -> None:
    """A breach names its rule, and how it was broken."""
    assert found(RUN, answer(document)).startswith(says)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("cancelled", "readable: the answer does not hold event frames"),
        ([{"type": "task_cancelled", "run_id": "s"}], "ids: the 'task_cancelled' frame has a wr"),
        ([{"type": "cancelling", **IDS}], "frames: an unknown event type: 'cancelling'"),
        ([{"type": "task_cancelled", **IDS}, RESULT], "frames: 2 terminal frames"),
    ],
)
def test_what_is_wrong_with_the_answer_to_a_cancel(document: Any, says: str) -> None:
    """The answer to a cancel_task is judged as far as Wove reads it."""
    assert found(CANCEL, answer(document)).startswith(says)


def test_an_empty_answer_to_a_cancel_breaks_no_rule() -> None:
    """The answer to a cancel_task may be empty, and then has no content type."""
    assert found(CANCEL, HttpResponse(204, (), b"")) == ""


def test_a_run_that_is_repeated_may_have_no_outcome() -> None:
    """Wove never sends a run_id twice, so the second answer may say that the run is known."""
    assert breaches(Sent("HTTP/1.1", RUN), answer([]), repeated=True) == []


def test_an_error_status_has_no_event_frames() -> None:
    """The body of an error answer is not read by Wove."""
    assert found(RUN, answer({"error": "no"}, status=400)) == ""


def test_a_content_type_is_named() -> None:
    """An answer with another content type breaks a rule of its own."""
    response = HttpResponse(200, (("Content-Type", "text/html"),), json.dumps(RESULT).encode())
    assert found(RUN, response) == "type: Content-Type is 'text/html'"


def test_two_long_ids_show_their_ends() -> None:
    """Ids that differ at the end are shown with it."""
    long = Command("run_task", "x" * 300 + "a", "t")
    assert "xxb' (303 char" in found(long, answer([{**RESULT, "run_id": "x" * 300 + "b"}]))


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ([("Content-Length", "5"), ("Transfer-Encoding", "chunked")], "Content-Length and Transf"),
        ([("Content-Length", "5"), ("content-length", "6")], "2 Content-Length headers that diff"),
        ([("Content-Length", "five")], "its Content-Length is 'five'"),
        ([("Content-Length", "-1")], "its Content-Length is '-1'"),
        ([("Transfer-Encoding", "gzip, chunked")], "its Transfer-Encoding is 'gzip, chunked'"),
    ],
)
def test_headers_that_contradict_each_other(headers: list[tuple[str, str]], says: str) -> None:
    """The end of an answer is given once."""
    assert says in found(None, answer({}, *headers))


def test_the_same_length_twice_is_allowed() -> None:
    """RFC 9112, 6.3 allows a client to accept one value that is repeated."""
    assert found(None, answer({}, ("Content-Length", "2"), ("Content-Length", "2"))) == ""


def test_bytes_behind_the_body() -> None:
    """Bytes that came behind the body are shown."""
    assert "behind the body came b'}'" in found(None, HttpResponse(400, (), b"{}", surplus=b"}"))


def test_chunks_for_http_1_0() -> None:
    """A client of HTTP/1.0 does not know Transfer-Encoding."""
    assert "the request was HTTP/1.0" in found(
        None, answer({}, ("Transfer-Encoding", "chunked")), "HTTP/1.0"
    )


def test_no_content_with_a_body() -> None:
    """An answer with status 204 has no body."""
    assert "status 204" in found(None, HttpResponse(204, (("Content-Length", "7"),), b""))


def request(body: bytes, line: str = "POST /x HTTP/1.1") -> bytes:
    """Return a request with ``body``."""
    return f"{line}\r\nHost: x\r\n\r\n".encode() + body


FRAME = b'{"type": "run_task", "run_id": "r", "task_id": "t"}'


def test_a_command_is_read_from_a_request() -> None:
    """The command is read from the bytes that were sent."""
    assert read_request(request(FRAME)) == Sent("HTTP/1.1", RUN)


@pytest.mark.parametrize(
    "sent",
    [
        request(FRAME, "PUT /x HTTP/1.1"),
        request(FRAME[:-5]),
        request(b'{"type": "run_task", "run_id": "q", "run_id": "r"}'),
        request(b'{"type": "run_task", "run_id": 5}'),
        request(b'{"type": ["run_task"], "run_id": "r"}'),
        request(b'{"type": "run_task", "run_id": "\xff"}'),
        request(b"[" * 100_000),
        request(b"5"),
        b"",
    ],
    ids=["PUT", "cut", "twice", "number", "list", "latin-1", "deep", "5", "nothing"],
)
def test_what_is_no_command(sent: bytes) -> None:
    """A request that Wove could not send has no command, so its answer has no event frames."""
    assert read_request(sent).command is None


def pickled(value: Any) -> str:
    """Return a pickle of ``value`` as base64."""
    return base64.b64encode(pickle.dumps(value)).decode()


@pytest.mark.parametrize(
    ("response", "where"),
    [
        (answer({"error": "signed with <a secret>"}), "its body"),
        (answer({"error": b"<a secret>".hex()}), "its body"),
        (answer([], ("X-Hint", "<a secret>")), "its headers"),
        (answer({"error_pickle": pickled({"env": "<a secret>"})}), "its error_pickle"),
        (answer({"error_pickle": pickled({"env": "another"})}), ""),
        (answer({"error": "refused"}), ""),
    ],
)
def test_the_secret_is_found_in_an_answer(response: HttpResponse, where: str) -> None:
    assert reveals(b"<a secret>", b"a request", response) == where


def test_an_answer_may_repeat_the_secret_that_its_request_holds() -> None:
    assert not reveals(b"<a secret>", b"?token=<a secret>", answer({"error": "<a secret>"}))


def test_a_short_secret_is_not_looked_for() -> None:
    assert not reveals(b"task", b"a request", answer({"type": "task_error"}))


def test_a_secret_with_a_quote_is_found_in_json() -> None:
    assert reveals(b'a "secret"', b"a request", answer({"error": 'a "secret"'})) == "its body"
