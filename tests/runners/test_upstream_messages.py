"""What is sent to upstream, and what its answers mean."""

from __future__ import annotations

import base64
import json
import pickle
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import encode
from wove_http_dev.exception_text import MESSAGE_LIMIT, TRACEBACK_LIMIT
from wove_http_dev.option_urls import UpstreamAddress
from wove_http_dev.protocol.headers import Headers
from wove_http_dev.protocol.messages import Request
from wove_http_dev.runners.upstream_answer import HttpAnswer
from wove_http_dev.runners.upstream_failures import UpstreamError
from wove_http_dev.runners.upstream_messages import (
    check_status,
    error_text,
    event_frames,
    outcome_of,
    relayed_reply,
    request_head,
)
from wove_http_dev.runs.outcome import CANCELLED, KIND_LIMIT

ADDRESS = UpstreamAddress(False, "worker", 8080, "/tasks?a=1")
IDS = {"run_id": "run-1", "task_id": "task"}
STARTED = {"type": "task_started", **IDS}


def raw(status: int = 200, body: bytes = b"", reason: str = "OK", **headers: str) -> HttpAnswer:
    """An answer of upstream's. The header ``content_type`` is ``Content-Type``."""
    response: Any = SimpleNamespace(
        status=status,
        reason=reason,
        getheaders=lambda: [(name.replace("_", "-").title(), v) for name, v in headers.items()],
    )
    return HttpAnswer(response, body)


def head_lines(*headers: tuple[str, str], **credentials: str) -> list[str]:
    """The lines of the head that forwards a request with ``headers``."""
    request = Request("POST", "/wove/tasks", Headers(list(headers)), b"{}")
    head = request_head(ADDRESS, request, credentials, "me")
    return head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")


def test_request_line() -> None:
    """The request line has the target of upstream's URL."""
    assert head_lines()[0] == "POST /tasks?a=1 HTTP/1.1"


def test_made_headers() -> None:
    """Host, length, ``Via`` and the credentials are made for upstream, which must not compress."""
    given = [("Host", "localhost"), ("Content-Length", "9"), ("Accept-Encoding", "gzip")]
    lines = head_lines(*given, Signature="v1")
    assert lines[1:] == [
        "Host: worker:8080",
        "Accept-Encoding: identity",
        "Content-Length: 2",
        "Via: 1.1 me",
        "Signature: v1",
    ]


@pytest.mark.parametrize(
    "header",
    [("Traceparent", "00-1"), ("X-Api-Key", "k"), ("Content-Type", "a/b"), ("X-Umlaut", "\xe4")],
)
def test_end_to_end_header(header: tuple[str, str]) -> None:
    """A header for the service is forwarded as it came."""
    assert ": ".join(header) in head_lines(header)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "X-Wove-Signature",
        "x-wove-nonce",
        "Connection",
        "Keep-Alive",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
        "Expect",
    ],
)
def test_header_of_this_hop(name: str) -> None:
    """The client's credentials, and headers about its connection, are not forwarded."""
    assert name.lower() not in {line.partition(":")[0].lower() for line in head_lines((name, "a"))}


def test_header_named_by_connection() -> None:
    """Nor is a header that ``Connection`` names (RFC 9110, 7.6.1)."""
    assert "X-Hop: a" not in head_lines(("Connection", "close, x-hop"), ("X-Hop", "a"))


def test_via_is_added() -> None:
    """The ``Via`` of earlier gateways stays."""
    assert "Via: 1.0 first, 1.1 me" in head_lines(("Via", "1.0 first"))


def test_passed_through() -> None:
    """Status, reason, body and end-to-end headers of an answer are the client's."""
    reply = relayed_reply(raw(503, b" {}\n", "Busy", retry_after="3", content_type="a/b"))
    headers = [("Retry-After", "3"), ("Content-Type", "a/b")]
    assert (reply.status, reply.reason, reply.body, reply.headers) == (
        503,
        "Busy",
        b" {}\n",
        headers,
    )


@pytest.mark.parametrize(
    "name",
    ["connection", "keep_alive", "transfer_encoding", "content_length", "proxy_authenticate"],
)
def test_header_of_upstreams_connection(name: str) -> None:
    """A header about the connection to upstream is not the client's."""
    headers: dict[str, Any] = {name: "close"}
    assert relayed_reply(raw(**headers)).headers == []


def test_folded_header() -> None:
    """A line break in a header, or in the reason, ends no line of the reply."""
    reply = relayed_reply(raw(reason="O\nK", x_a="1\r\n Set-Cookie: b"))
    assert (reply.reason, reply.headers) == ("O K", [("X-A", "1   Set-Cookie: b")])


@pytest.mark.parametrize("status", [200, 204, 404, 413, 500, 503])
def test_status_for_the_client(status: int) -> None:
    """These statuses are for the client."""
    check_status(raw(status), "signed")


@pytest.mark.parametrize(
    ("status", "mode", "words"),
    [
        (401, "signed", "upstream refused the signature: 401 Unauthorized: unknown key"),
        (403, "bearer", "upstream refused the bearer token: 403 Forbidden: unknown key"),
        (401, "none", "upstream refused a request without credentials (set upstream_security)"),
    ],
)
def test_refused_credentials(status: int, mode: str, words: str) -> None:
    """A refusal of the credentials is not the client's: it says what upstream refused, and why."""
    with pytest.raises(UpstreamError) as caught:
        check_status(raw(status, b'{"error": "unknown key"}', ""), mode)
    assert (caught.value.code, str(caught.value).startswith(words)) == ("upstream-refused", True)


def test_wrong_secret() -> None:
    """A refused signature says which option mends it."""
    with pytest.raises(UpstreamError, match="unknown key; upstream_security must have the secret"):
        check_status(raw(401, b'{"error": "unknown key."}', ""), "signed")


def test_redirection() -> None:
    """A redirection, which would lead the client past this worker, says where to."""
    with pytest.raises(
        UpstreamError, match="to https://other/x; write the final address"
    ) as caught:
        check_status(raw(307, location="https://other/x?token=1"), "none")
    assert caught.value.code == "upstream-redirected"


def test_redirection_to_nowhere() -> None:
    """A status 3xx without an address says that it has none."""
    with pytest.raises(UpstreamError, match="without a Location"):
        check_status(raw(304), "none")


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b'{"error": "no key"}', "application/json", "no key"),
        (b'{"detail": "no key"}', "application/json", "no key"),
        (b'{"detail": [{"loc": 1}]}', "application/json", ""),
        (b"no\nkey\n", "text/plain; charset=utf-8", "no key"),
        (b"<html>", "text/html", ""),
        (b"[" * 100_000, "application/json", ""),
        (b"\xff", "text/plain", "\N{REPLACEMENT CHARACTER}"),
        (b'{"error": "' + b"a" * 300 + b'"}', "application/json", "a" * 199 + "…"),
    ],
    ids=["error", "detail", "list", "plain", "html", "deep", "bytes", "long"],
)
def test_what_it_says(body: bytes, kind: str, said: str) -> None:
    """The reason in an error answer, as far as there is one."""
    assert error_text(raw(400, body, content_type=kind)) == said


@pytest.mark.parametrize(
    ("document", "shape"),
    [({"events": [STARTED]}, "events"), ([STARTED], "list"), (STARTED, "frame")],
    ids=["events", "list", "frame"],
)
def test_event_frames(document: Any, shape: str) -> None:
    """Event frames are read in each of the three forms."""
    assert event_frames(json.dumps(document).encode()) == ([STARTED], shape)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1", "not an object"),
        (b"[1]", "not an object"),
        (b"{}", "not an object"),
        (b'{"events": {}}', "not a list"),
        (b'[{"type": "task_started"}]', "not an object with a type and a run_id"),
    ],
    ids=range(9),
)
def test_no_event_frames(body: bytes, why: str) -> None:
    """Anything else says what is wrong with it."""
    with pytest.raises(ValueError, match=why):
        event_frames(body)


def ended(**fields: Any) -> Any:
    """The outcome of a run whose last frame has ``fields``."""
    return outcome_of([STARTED, {**IDS, **fields}], "run-1")


def test_result() -> None:
    """A result stays a pickle."""
    outcome = ended(type="task_result", result_pickle=encode({"a": 1}))
    assert (outcome.kind, pickle.loads(outcome.result_pickle)) == ("result", {"a": 1})


def test_plain_result() -> None:
    """A result in plain JSON, as a worker in another language sends it, becomes a pickle."""
    outcome = ended(type="task_result", result=[1, None])
    assert (outcome.kind, pickle.loads(outcome.result_pickle)) == ("result", [1, None])


@pytest.mark.parametrize("form", ["error", "error_pickle"])
def test_error(form: str) -> None:
    """Kind, message and traceback of an error are read from JSON, and from a pickle of texts."""
    error = {"kind": "ValueError", "message": "no", "traceback": "…", "retryable": True}
    outcome = ended(type="task_error", **{form: encode(error) if form[5:] else error})
    assert (outcome.kind, outcome.error) == ("error", {**error, "source": "task"})


@pytest.mark.parametrize(
    "error",
    [
        {"kind": 1, "message": [2], "traceback": {}, "source": None, "retryable": "yes"},
        {"message": b"no", "code": {1, 2}},
        {1: "no"},
        [b"no"],
    ],
    ids=range(4),
)
def test_error_of_other_types(error: Any) -> None:
    """Whatever the fields of an error are, the journal has texts."""
    outcome = ended(type="task_error", error_pickle=encode(error))
    types = {name: type(each) for name, each in outcome.error.items()}
    texts = dict.fromkeys(("kind", "message", "traceback", "source"), str)
    assert types == {**texts, "retryable": bool}


def test_deep_error() -> None:
    """An error of containers inside one another becomes a short text."""
    deep = b"]" * 5000 + b"a" * 4999 + b"."
    outcome = ended(type="task_error", error_pickle=base64.b64encode(deep).decode())
    assert outcome.error["message"] == "[[[[[[[…]]]]]]]"


def test_long_error() -> None:
    """The texts of an error are limited as those of a task that ran here."""
    error = dict.fromkeys(("kind", "message", "traceback"), "a" * 200_000)
    outcome = ended(type="task_error", error=error)
    limits = {"kind": KIND_LIMIT, "message": MESSAGE_LIMIT, "traceback": TRACEBACK_LIMIT}
    assert all(len(outcome.error[name]) < limit + 100 for name, limit in limits.items())


def test_deep_result() -> None:
    """A plain result that is too deep for a pickle says so."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested too deeply"):
        ended(type="task_result", result=deep)


class Canary:
    """Notes that it was unpickled."""

    loaded: list[int] = []  # noqa: RUF012

    def __reduce__(self) -> Any:
        return self.loaded.append, (1,)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "task_error", "error_pickle": encode({"kind": Canary()})},
        {"type": "task_error", "exception_pickle": encode(Canary())},
        {"type": "task_result", "result_pickle": encode(Canary())},
    ],
    ids=["error", "exception", "result"],
)
def test_nothing_is_unpickled(fields: dict[str, Any]) -> None:
    """No pickle of an answer is loaded."""
    ended(**fields)
    assert Canary.loaded == []


def test_error_that_is_not_read() -> None:
    """An error with more than plain data says that it is not read."""
    outcome = ended(type="task_error", error_pickle=encode(ValueError("no")))
    assert "is not read: it has more than plain data" in outcome.error["message"]


def test_exception() -> None:
    """The exception of an error stays a pickle."""
    outcome = ended(type="task_error", exception_pickle=encode(ValueError("no")))
    assert str(pickle.loads(outcome.exception_pickle)) == "no"


def test_cancelled() -> None:
    """A run that upstream cancelled is cancelled."""
    assert ended(type="task_cancelled") is CANCELLED


def test_first_terminal_frame_counts() -> None:
    """As for Wove's executor, the first frame counts that ends the run."""
    frames = [{**IDS, "type": "task_cancelled"}, {**IDS, "type": "task_error"}]
    assert outcome_of(frames, "run-1") is CANCELLED


@pytest.mark.parametrize(
    "fields", [{"type": "heartbeat"}, {"type": "task_cancelled", "run_id": "run-2"}], ids=str
)
def test_run_is_not_ended(fields: dict[str, str]) -> None:
    """A frame of another type, or of another run, does not end the run."""
    assert ended(**fields) is None


@pytest.mark.parametrize("payload", ["A", "*", 1, "ä"])
def test_payload_is_not_base64(payload: object) -> None:
    """A payload that is not base64 is said to be so."""
    with pytest.raises(ValueError, match="result_pickle is not base64"):
        ended(type="task_result", result_pickle=payload)
