"""What `leaked` reports about requests to another origin."""

from __future__ import annotations

import pytest

from wove_http_dev.conformance.executor.cases.security.redirects import leaked
from wove_http_dev.runs.records import Exchange


@pytest.mark.parametrize(
    ("exchange", "words"),
    [
        (Exchange(1, 0.0, method="GET"), ""),
        (
            Exchange(1, 0.0, method="GET", head="X-Wove-Key: default"),
            "a GET with X-Wove-Key",
        ),
        (
            Exchange(1, 0.0, method="POST", body_size=7),
            "a POST with the 7 bytes of a command frame",
        ),
    ],
    ids=["nothing", "header", "body"],
)
def test_what_is_leaked(exchange: Exchange, words: str) -> None:
    """Credentials and command frames are reported; other requests are not."""
    assert leaked([exchange]) == words
