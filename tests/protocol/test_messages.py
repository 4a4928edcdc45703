"""Headers, requests and replies."""

from __future__ import annotations

import json

import pytest

from wove_http_dev.protocol.headers import Headers
from wove_http_dev.protocol.messages import REASONS, Reply, Request, json_reply


def head_lines(reply: Reply, *, close: bool = True) -> list[str]:
    """The lines of ``reply``'s head, without the empty ones at the end."""
    return reply.head(close=close).decode("latin-1").split("\r\n")[:-2]


class TestReply:
    """The head of a reply."""

    @pytest.mark.parametrize(
        ("status", "line"),
        [
            (200, "HTTP/1.1 200 OK"),
            (413, f"HTTP/1.1 413 {REASONS[413]}"),
            (599, "HTTP/1.1 599 Unknown"),
        ],
    )
    def test_status_line(self, status: int, line: str) -> None:
        """The status line has the status's own reason phrase."""
        assert head_lines(Reply(status))[0] == line

    @pytest.mark.parametrize("reason", ["no luck", ""])
    def test_reason(self, reason: str) -> None:
        """A given reason replaces the status's own, even if it is empty."""
        assert head_lines(Reply(401, reason=reason))[0] == f"HTTP/1.1 401 {reason}"

    def test_interim(self) -> None:
        """An interim response comes before the head."""
        interim = b"HTTP/1.1 103 Early Hints\r\n\r\n"
        assert Reply(interim=interim).head(close=True).startswith(interim + b"HTTP/1.1 200 OK")

    def test_content_length(self) -> None:
        """The length of the body is filled in."""
        assert "Content-Length: 3" in head_lines(Reply(body=b"abc"))

    def test_no_content_has_no_length(self) -> None:
        """A 204 has no Content-Length (RFC 9110, 8.6)."""
        assert not [line for line in head_lines(Reply(204)) if line.startswith("Content-Length")]

    @pytest.mark.parametrize(
        ("method", "status", "content"),
        [("POST", 200, b"abc"), ("HEAD", 200, b""), ("POST", 204, b""), ("GET", 304, b"")],
    )
    def test_content(self, method: str, status: int, content: bytes) -> None:
        """The body is left out where a client expects none (RFC 9112, 6.3)."""
        assert Reply(status, b"abc").content(method) == content

    @pytest.mark.parametrize("header", [("content-length", "99"), ("Transfer-Encoding", "chunked")])
    def test_content_length_given(self, header: tuple[str, str]) -> None:
        """A reply with its own framing headers gets no Content-Length."""
        assert "Content-Length: 3" not in head_lines(Reply(body=b"abc", headers=[header]))

    @pytest.mark.parametrize(
        ("close", "line"), [(True, "Connection: close"), (False, "Connection: keep-alive")]
    )
    def test_connection(self, close: bool, line: str) -> None:
        """The head says whether the connection is kept or closed."""
        assert line in head_lines(Reply(), close=close)

    def test_end(self) -> None:
        """The head ends with the empty line."""
        assert Reply().head(close=True).endswith(b"\r\n\r\n")

    def test_character_outside_latin_1(self) -> None:
        """A character outside latin-1 is replaced."""
        assert head_lines(Reply(reason="\u65e5"))[0] == "HTTP/1.1 200 ?"


class TestJsonReply:
    """A reply with a JSON body."""

    def test_body(self) -> None:
        """The body is the document."""
        assert json.loads(json_reply(200, {"a": ["\xe9", None]}).body) == {"a": ["\xe9", None]}

    def test_content_type(self) -> None:
        """The content type is application/json."""
        assert json_reply(200, {}).headers == [("Content-Type", "application/json")]

    def test_extra_header(self) -> None:
        """A keyword becomes a header."""
        assert ("Retry-After", "1") in json_reply(503, {}, retry_after="1").headers


@pytest.mark.parametrize(
    "message",
    [Request("POST", "/", Headers(), b"payload"), Reply(body=b"payload")],
    ids=["request", "reply"],
)
def test_repr_has_no_body(message: Request | Reply) -> None:
    """The repr has no body, so that none reaches a log."""
    assert "payload" not in repr(message)
