"""The record of a request that was forwarded, and the answer to it."""

from __future__ import annotations

import pytest

from wove_http_dev.protocol.messages import Reply
from wove_http_dev.runs.forwarding import ABANDONED, UpstreamAnswer, UpstreamLeg


@pytest.mark.parametrize(
    ("leg", "text"),
    [
        (UpstreamLeg(), "upstream has not answered"),
        (UpstreamLeg(status=200, seconds=0.0042), "upstream 200 in 4.2 ms"),
        (
            UpstreamLeg(status=200, seconds=0.001, reused=True),
            "upstream 200 in 1.0 ms, kept connection",
        ),
        (UpstreamLeg(seconds=0.5, error="upstream: refused", code="x"), "upstream: refused"),
    ],
)
def test_text(leg: UpstreamLeg, text: str) -> None:
    """A leg as one line says how upstream answered, or why it did not."""
    assert leg.text == text


@pytest.mark.parametrize(
    ("code", "failed"), [("", False), (ABANDONED, False), ("upstream-timeout", True)]
)
def test_failed(code: str, failed: bool) -> None:
    """Upstream failed unless it answered, or this worker stopped before."""
    assert UpstreamLeg(code=code).failed is failed


def test_reply_is_a_copy() -> None:
    """A fault that changes the reply to one request does not change another's."""
    answer = UpstreamAnswer(Reply(headers=[("A", "b")]), "run-1")
    answer.reply().headers.clear()
    assert answer.reply().headers == [("A", "b")]
