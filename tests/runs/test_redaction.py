"""What the journal stores of a text from outside: without secrets, and of limited length."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable

import pytest

from tests.run_records import SECRET
from wove_http_dev.protocol.headers import Headers
from wove_http_dev.runs.redaction import NAME_LIMIT, REDACTED, TEXT_LIMIT, Redaction

LONG = "A" * 100_000
REDACTION = Redaction([SECRET])


def stored(name: str, value: str) -> tuple[str, str]:
    """The name and the value of one header, as they are stored."""
    head, _, kept = REDACTION.head([(name, value)]).partition(": ")
    return head, kept


class TestHead:
    """The headers of a request."""

    @pytest.mark.parametrize(
        "name",
        [
            "Authorization",
            "authorization",
            "Proxy-Authorization",
            "Cookie",
            "Set-Cookie",
            "X-Api-Key",
            "X-Auth-Token",
            "X-Password",
            "Client-Secret",
        ],
    )
    def test_private_header(self, name: str) -> None:
        """The value of a header that carries credentials is not kept."""
        assert stored(name, "value")[1] == REDACTED

    def test_secret_in_any_header(self) -> None:
        """A value that contains the secret is not recorded, in any header."""
        assert stored("X-Anything", f"a{SECRET}b")[1] == REDACTED

    @pytest.mark.parametrize("before", [0, NAME_LIMIT - 5])
    def test_secret_in_a_name(self, before: int) -> None:
        """Nothing of the secret is recorded where it is in the name of a header, at the end of what
        is kept of the name too."""
        assert SECRET[:5] not in REDACTION.head([("x" * before + SECRET, "value")])

    @pytest.mark.parametrize("name", ["Host", "Content-Type", "X-Wove-Key", "X-Wove-Nonce"])
    def test_ordinary_header(self, name: str) -> None:
        """The value of an ordinary header is kept."""
        assert stored(name, "value")[1] == "value"

    def test_name_is_kept(self) -> None:
        """The name of a redacted header is kept."""
        assert stored("Authorization", "Bearer x")[0] == "Authorization"

    def test_long_value(self) -> None:
        """A header's value is cut after ``TEXT_LIMIT`` characters."""
        head = Redaction([]).head(list(Headers([("X-Long", LONG)])))
        assert len(head) == len("X-Long: ") + TEXT_LIMIT

    def test_long_name(self) -> None:
        """Of a header with a long name neither the whole name nor the value is stored."""
        assert Redaction([]).head([(LONG, "value")]) == f"{LONG[: NAME_LIMIT - 1]}…: {REDACTED}"


@pytest.mark.parametrize("write", [repr, urllib.parse.quote, json.dumps])
def test_escaped_secret(write: Callable[[str], str]) -> None:
    """A secret is redacted as well where it is escaped."""
    secret = 'back\\slash and quote"'
    assert "slash" not in Redaction([secret]).clean(f"a {write(secret)} b")
