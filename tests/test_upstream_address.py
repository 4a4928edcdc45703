"""Which URLs the option ``upstream`` takes, and how they are divided."""

from __future__ import annotations

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.upstream_address import UpstreamAddress, upstream_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:8080/wove/tasks", (False, "localhost", 8080, "/wove/tasks")),
        ("https://worker.internal/tasks", (True, "worker.internal", 443, "/tasks")),
        ("http://worker", (False, "worker", 80, "/")),
        ("http://[::1]:1/a?b=%20", (False, "::1", 1, "/a?b=%20")),
        ("http://worker/a?", (False, "worker", 80, "/a")),
    ],
)
def test_parts(url: str, address: tuple[bool, str, int, str]) -> None:
    """Scheme, host, port and target of a URL."""
    assert upstream_address(url) == UpstreamAddress(*address)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://worker/", "worker"),
        ("https://worker:80/", "worker:80"),
        ("http://[::1]:8080/", "[::1]:8080"),
    ],
)
def test_authority(url: str, authority: str) -> None:
    """The ``Host`` header has brackets around an IPv6 address, and no port that is the scheme's."""
    assert upstream_address(url).authority == authority


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("worker:8080", "takes an http:// or https:// URL"),
        ("ftp://worker/", "takes an http:// or https:// URL"),
        ("http://", "takes an http:// or https:// URL"),
        ("http://worker:no/", "is not a URL"),
        ("http://worker:0/", "port 0"),
        ("http://worker/a b", "percent-encoded"),
        ("http://worker/a#b", "without a fragment"),
        ("http://wörker/", "percent-encoded"),
        ("http://me:hunter2@worker/", "upstream_security"),
    ],
)
def test_wrong_url(url: str, why: str) -> None:
    """A URL that cannot be requested as it is written is refused with the reason."""
    with pytest.raises(UsageError, match=why):
        upstream_address(url)


@pytest.mark.parametrize("url", ["http://me:hunter2@worker/", "http://me:hunter2@worker:no/"])
def test_password(url: str) -> None:
    """A password in the URL is not repeated."""
    with pytest.raises(UsageError) as caught:
        upstream_address(url)
    assert "hunter2" not in str(caught.value)
