"""Which URLs the options ``upstream`` and ``impersonate`` take, and how they are divided."""

from __future__ import annotations

import pytest

from wove_http_dev.errors import UsageError
from wove_http_dev.option_urls import UpstreamAddress, impersonated, upstream_address


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
        ("http://a..b/", "'a..b' is not a host name or address"),
        (f"http://{'a' * 64}/", "is not a host name or address"),
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


class TestImpersonated:
    """The URL of a service that a worker impersonates."""

    @pytest.mark.parametrize(
        ("url", "parts"),
        [
            ("https://w.internal/wove/tasks", ("w.internal", 443, "/wove/tasks")),
            ("https://w.internal:8443/a?x=1", ("w.internal", 8443, "/a")),
            ("https://W.Internal", ("w.internal", 443, "/")),
            ("HTTPS://w.internal/", ("w.internal", 443, "/")),
        ],
    )
    def test_parts(self, url: str, parts: tuple[str, int, str]) -> None:
        """Host, port and path are those of the URL."""
        assert impersonated(url) == parts

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("http://w.internal/", "takes an https:// URL"),
            ("w.internal", "takes an https:// URL"),
            ("https://", "takes an https:// URL"),
            ("https://10.0.0.1/", "not the address 10.0.0.1"),
            ("https://[::1]:8443/", "not the address ::1"),
            ("https://w.internal:99999/", "is not a URL"),
            ("https://w.internal:port/", "is not a URL"),
            ("https://[w.internal/", "is not a URL"),
        ],
    )
    def test_refused(self, url: str, message: str) -> None:
        """A URL that a worker cannot impersonate is a usage error that says why."""
        with pytest.raises(UsageError, match=message):
            impersonated(url)
