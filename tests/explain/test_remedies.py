"""What mends a refusal or a connection that never became a request."""

from __future__ import annotations

import pytest

from wove_http_dev.explain.remedies import _REMEDIES, remedy
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.runs.records import CODES, Exchange


@pytest.mark.parametrize("code", sorted(_REMEDIES))
def test_code(code: str) -> None:
    """Each remedy is for a code that exchanges have."""
    assert code in CODES


def test_of_a_code() -> None:
    """A refused request has the remedy of its code."""
    text = remedy(Exchange(1, 0.0, code="unknown-key"))
    assert text == "give client and worker the same key id"


def test_of_a_verdict() -> None:
    """The hint of the verdict, which has looked at the request, comes first."""
    hint = "another secret"
    verdict = Verdict(False, code="signature-mismatch", hint=hint)
    exchange = Exchange(1, 0.0, code="signature-mismatch", verdict=verdict)
    assert remedy(exchange) == "another secret; give client and worker the same secret"


def test_of_a_request_with_the_right_secret() -> None:
    """A signature that would match another path needs no other secret."""
    hint = "it would match the decoded path: a proxy may have rewritten it"
    verdict = Verdict(False, code="signature-mismatch", would_match="the decoded path", hint=hint)
    assert remedy(Exchange(1, 0.0, code="signature-mismatch", verdict=verdict)) == hint


def test_browser() -> None:
    """A request that no client of Wove sends is said to be one, whatever it was refused for."""
    exchange = Exchange(1, 0.0, method="GET", code="header-missing")
    assert remedy(exchange) == "a browser, or another client than Wove's; tasks are sent with POST"


def test_unknown() -> None:
    """There is none for what mends itself."""
    assert remedy(Exchange(1, 0.0, code="request-timeout")) is None


def test_by_a_fault() -> None:
    """There is none for what a fault did."""
    assert remedy(Exchange(1, 0.0, code="unknown-key", faults=["unknown-key"])) is None
