"""Descriptions of the requests that a case sent."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest

from tests.conformance.worker.checks import check
from tests.conformance.worker.defects.frames import OwnTaskId
from tests.conformance.worker.plain_worker import SECRET
from wove_http_dev.conformance.worker import commands, pickles, tasks
from wove_http_dev.conformance.worker.client import SIGNATURE, ServiceUnderTest, in_chunks
from wove_http_dev.conformance.worker.sent_log import KEPT, SentRequests

URL = "http://localhost/wove/tasks"
SIGNED = ServiceUnderTest(URL, secret="a secret")
BEARER = ServiceUnderTest(URL, bearer="a-token")
RUN = commands.run_frame(tasks.hold, run_id="conformance_task:3f2a91c0ffee")
RUN_BODY = commands.encode(RUN)


def text_of(*requests: bytes, service: ServiceUnderTest = SIGNED) -> str:
    """Return the text for ``requests``, each sent on a new connection."""
    sent = SentRequests(service)
    connections = [object() for _ in requests]
    for connection, request in zip(connections, requests, strict=True):
        sent.note(connection, request)
    return sent.text()


def signed(body: bytes = RUN_BODY, **changes: Any) -> bytes:
    """Return a signed request, with ``changes`` to its credentials."""
    return SIGNED.request(body, SIGNED.credentials(body, **changes))


def test_a_run_is_named_by_its_function_and_run() -> None:
    """A run_task is described with its function, its run, and how it was signed."""
    assert text_of(signed()) == "POST run_task (hold, run 3f2a91…), signed"


def test_a_cancel_has_its_mode() -> None:
    """A cancel_task is described with its mode and its run."""
    body = commands.encode(commands.cancel_frame(RUN["run_id"], "require_ack"))
    assert text_of(signed(body)) == "POST cancel_task require_ack (run 3f2a91…), signed"


def test_requests_are_listed_in_order() -> None:
    """Requests are listed in the order in which they were sent, separated by semicolons."""
    body = commands.encode(commands.cancel_frame(RUN["run_id"]))
    first, second = text_of(signed(), signed(body)).split("; ")
    assert (first.split(" (")[0], second.split(" (")[0]) == (
        "POST run_task",
        "POST cancel_task best_effort",
    )


@pytest.mark.parametrize(
    ("request_of", "says"),
    [
        (lambda: SIGNED.request(RUN_BODY, {}), "no credentials"),
        (lambda: signed(secret=b"another"), "signature altered"),
        (lambda: signed(key="another"), "signed, another key"),
        (lambda: signed(timestamp=f"{time.time() - 1800.3:.3f}"), "signed, timestamp 1800 s old"),
        (lambda: signed(timestamp="nan"), "signed, timestamp not a number"),
        (lambda: signed(nonce=""), "signed, X-Wove-Nonce empty"),
    ],
    ids=["none", "secret", "key", "old", "nan", "nonce"],
)
def test_what_is_wrong_with_the_credentials(request_of: Callable[[], bytes], says: str) -> None:
    """The text says what is wrong with a request's credentials."""
    assert text_of(request_of()).rpartition("), ")[2] == says


def test_a_missing_header_is_named() -> None:
    """A missing signature header is named."""
    headers = SIGNED.credentials(RUN_BODY)
    del headers[SIGNATURE]
    assert text_of(SIGNED.request(RUN_BODY, headers)).endswith(", without X-Wove-Signature")


def test_a_replay_is_named() -> None:
    """The text of a replayed request says that it was sent for the second time."""
    request = signed()
    assert text_of(request, request).endswith("signed, for the second time")


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({}, "no credentials"),
        ({"Authorization": "Bearer a-token"}, "bearer token"),
        ({"Authorization": "Bearer another"}, "another bearer token"),
    ],
)
def test_bearer_tokens(headers: dict[str, str], says: str) -> None:
    """The text says whether the bearer token is the right one, without showing it."""
    request = BEARER.request(RUN_BODY, headers)
    assert text_of(request, service=BEARER).rpartition("), ")[2] == says


@pytest.mark.parametrize("token", ["a-token", "a/to+ken=="])
def test_a_token_in_the_target_is_not_shown(token: str) -> None:
    """A token in the target is replaced by an ellipsis, in each form that a query can have."""
    service = ServiceUnderTest(URL, bearer=token)
    for written in (token, urllib.parse.quote(token), urllib.parse.quote_plus(token)):
        request = service.request(RUN_BODY, {}, target=f"/wove/tasks?token={written}")
        assert "to '/wove/tasks?token=…'" in text_of(request, service=service)


def test_another_method_is_shown() -> None:
    """The text begins with the request's method."""
    request = SIGNED.request(b"", SIGNED.credentials(b""), method="GET")
    assert text_of(request) == "GET an empty body, signed"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "POST a body that is not a JSON document"),
        (b"[" * 100_000, "POST a body that is not a JSON document"),
        (b"[]", "POST a JSON list"),
        (b"null", "POST a JSON null"),
        (b'{"type": "x"}', 'POST a frame of type "x" (no run_id)'),
        (b"{}", "POST a frame without type (no run_id)"),
    ],
    ids=["cut-off", "deep", "list", "null", "type", "object"],
)
def test_what_is_not_a_command(body: bytes, says: str) -> None:
    """A body that is not a command frame is described by its kind."""
    assert text_of(SIGNED.request(body, {})).startswith(says)


def test_a_canary_is_named_by_its_field() -> None:
    """A pickle that runs code when loaded is described by the name of its field."""
    frame = {**RUN, "args_pickle": commands.text(pickles.pickled(pickles.OnLoad("1 + 1")))}
    assert text_of(signed(commands.encode(frame))).startswith(
        "POST run_task (canary in args_pickle, "
    )


def test_requests_that_differ_in_their_run_alone_are_counted() -> None:
    """Consecutive requests that differ only in their run are counted."""
    bodies = [commands.encode(commands.run_frame(tasks.echo, {"value": n})) for n in range(3)]
    assert text_of(*map(signed, bodies)) == "3 × POST run_task (echo), signed"


def test_many_requests_are_counted() -> None:
    """Of many requests the first and the last are described, and those between are counted."""
    text = text_of(*[SIGNED.request(RUN_BODY, {})] * (3 * KEPT))
    assert f"; {KEPT} more requests; " in text


def test_many_different_requests_are_shortened() -> None:
    """Of many different phrases only the first and the last are shown."""
    requests = [SIGNED.request(RUN_BODY, {}, target=f"/{number}") for number in range(20)]
    text = text_of(*requests)
    assert "'/3'" in text
    assert "… (12 more) …" in text


def test_a_request_in_pieces_is_one_request() -> None:
    """A request that was sent in pieces is described once, with the number of pieces."""
    sent, connection, request = SentRequests(SIGNED), object(), signed()
    for piece in (request[:50], request[50:]):
        sent.note(connection, piece)
    assert sent.text() == "POST run_task (hold, run 3f2a91…), signed, in 2 pieces"


def test_a_request_may_be_cut_anywhere() -> None:
    """A request whose first piece ends anywhere in the head is described as the whole one."""
    request = signed()
    said = {}
    for cut in range(1, 200):
        sent, connection = SentRequests(SIGNED), object()
        sent.note(connection, request[:cut])
        sent.text()
        sent.note(connection, request[cut:])
        said[cut] = sent.text()
    whole = "POST run_task (hold, run 3f2a91…), signed, in 2 pieces"
    assert {cut: text for cut, text in said.items() if text != whole} == {}


@pytest.mark.parametrize("length", ["", "+5", "-1", "0x10", "5, 6", "²"])
def test_an_odd_length(length: str) -> None:
    """A request whose length is no number is described too."""
    request = f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode("latin-1")
    assert text_of(request).startswith("POST ")


def test_a_request_that_was_cut_off() -> None:
    """The text says how many bytes of a request are missing."""
    assert text_of(signed()[:-40]) == ("POST the beginning of a request, cut off 40 bytes early")


def test_a_request_that_was_cut_off_in_its_head() -> None:
    """The text says that a request ended in its head."""
    assert text_of(signed()[:50]) == "POST the beginning of a request, cut off in its head"


def test_a_length_that_is_no_number() -> None:
    """A request whose Content-Length is not a number is described."""
    request = signed().replace(b"Content-Length: ", b"Content-Length: +")
    assert text_of(request) == "POST run_task (hold, run 3f2a91…), signed"


def in_chunks_of(chunks: bytes, *more: str) -> bytes:
    """Return a request signed for the run, with ``chunks`` as its body and ``more`` headers."""
    length = f"Content-Length: {len(RUN_BODY)}"
    headers = "\r\n".join(["Transfer-Encoding: chunked", *more])
    head, _, _ = signed().partition(b"\r\n\r\n")
    return head.replace(length.encode(), headers.encode()) + b"\r\n\r\n" + chunks


CHUNKS = in_chunks(RUN_BODY[:50], RUN_BODY[50:])
FEW_CHUNKS = in_chunks(b"{", b'"type":"ping"}')


@pytest.mark.parametrize("more", [(), (f"Content-Length: {len(CHUNKS)}",)], ids=["alone", "beside"])
def test_a_body_in_chunks(more: tuple[str, ...]) -> None:
    """A body in chunks is described as the body that they make up."""
    text = text_of(in_chunks_of(CHUNKS, *more))
    assert text == "POST run_task (hold, run 3f2a91…), signed, in chunks"


def test_a_body_in_chunks_may_be_cut_anywhere() -> None:
    """Chunks whose sending is interrupted anywhere are those of one request."""
    request = in_chunks_of(FEW_CHUNKS)
    for cut in range(1, len(FEW_CHUNKS)):
        sent, connection = SentRequests(SIGNED), object()
        sent.note(connection, request[:-cut])
        begun = "POST the beginning of a request, cut off before its end, in chunks"
        assert (cut, sent.text()) == (cut, begun)
        sent.note(connection, request[-cut:])
        assert sent.text().startswith('POST a frame of type "ping" (no run_id), '), cut
        assert sent.text().endswith(", in chunks, in 2 pieces"), cut


@pytest.mark.parametrize(
    ("chunks", "says"),
    [
        (b"+1f\r\n" + RUN_BODY, "POST a body, in malformed chunks"),
        (b"2\r\n{}!!0\r\n\r\n", "POST a body, in malformed chunks"),
        (CHUNKS + b"GET / HTTP/1.1", "signed, in chunks, followed by 14 bytes"),
    ],
    ids=["size", "end", "more"],
)
def test_odd_chunks(chunks: bytes, says: str) -> None:
    """The text says that chunks are malformed, and how many bytes follow the last one."""
    assert text_of(in_chunks_of(chunks)).endswith(says)


def test_bytes_behind_the_body() -> None:
    """Bytes behind a body are counted, and are no part of it."""
    text = text_of(signed() + b"more bytes")
    assert text == "POST run_task (hold, run 3f2a91…), signed, followed by 10 bytes"


def test_bytes_behind_a_body_of_an_odd_length() -> None:
    """A body whose length is odd on purpose ends with its JSON."""
    for odd in (b"Content-Length: +", b"Content-Length : "):
        request = signed().replace(b"Content-Length: ", odd) + b"\r\n0\r\n\r\n"
        assert text_of(request).endswith("…), signed, followed by 7 bytes")


def test_a_body_that_is_in_no_chunks() -> None:
    """A body without chunks is described by its Content-Length, whatever else its head says."""
    text = text_of(in_chunks_of(RUN_BODY + b"more", f"Content-Length: {len(RUN_BODY)}"))
    assert text.endswith("…), signed, in malformed chunks, followed by 4 bytes")


def test_a_second_request_on_a_connection() -> None:
    """The text says that a request was sent on a connection that was used before."""
    sent, connection = SentRequests(SIGNED), object()
    sent.note(connection, signed())
    sent.note(connection, signed())
    assert sent.text().endswith("signed, on the same connection")


def test_a_silent_connection() -> None:
    """A connection on which nothing is sent is listed."""
    assert text_of(b"") == "a connection on which nothing was sent"


def test_without_a_request_nothing_was_sent() -> None:
    """If no request was sent, the text says so and is not empty."""
    assert text_of() == "nothing"


def test_a_failed_case_names_what_was_sent() -> None:
    """The result of a failed case describes the request of this check."""
    with OwnTaskId() as worker:
        results = check(worker.url, "frames.04", secret=SECRET)
    (result,) = [result for result in results if result.case.id == "frames.04"]
    assert result.sent.startswith("POST run_task (echo, run ")
    assert result.sent.endswith("…), signed")
