"""Host names and addresses."""

from __future__ import annotations

import ipaddress

import pytest

from wove_http_dev.hosts import LOCAL_NAMES, Host


class TestHost:
    """A host name or IP address."""

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("localhost", True),
            ("LOCALHOST", True),
            ("127.0.0.1", True),
            ("127.9.9.9", True),
            ("::1", True),
            ("[::1]", True),
            ("0.0.0.0", False),
            ("10.0.0.1", False),
            ("localhost.example", False),
            ("", False),
        ],
    )
    def test_is_loopback(self, host: str, expected: bool) -> None:
        """``is_loopback`` is true for loopback names and addresses only."""
        assert Host(host).is_loopback is expected

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("127.0.0.1", True),
            ("::1", True),
            ("[::1]", True),
            ("localhost", False),
            ("1.example", False),
            ("", False),
        ],
    )
    def test_is_address(self, host: str, expected: bool) -> None:
        """``is_address`` is true for address literals only."""
        assert Host(host).is_address is expected

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("workers.internal", True),
            ("*.internal", True),
            ("under_score", True),
            ("a..b", False),
            ("-a", False),
            ("", False),
            ("a" * 254, False),
        ],
    )
    def test_is_name(self, host: str, expected: bool) -> None:
        """A name has labels of letters, digits, hyphens and underscores."""
        assert Host(host).is_name is expected

    @pytest.mark.parametrize(
        ("host", "expected"),
        [("0.0.0.0", True), ("::", True), ("[::]", True), ("127.0.0.1", False)],
    )
    def test_is_wildcard(self, host: str, expected: bool) -> None:
        """A wildcard means every address of this machine."""
        assert Host(host).is_wildcard is expected

    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("workers.internal", "workers.internal"),
            ("127.0.0.1", "127.0.0.1"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("0.0.0.0", "127.0.0.1"),
            ("[::]", "[::1]"),
        ],
    )
    def test_in_url(self, host: str, expected: str) -> None:
        """A URL has brackets around an IPv6 address, and names no wildcard."""
        assert Host(host).in_url == expected

    @pytest.mark.parametrize(
        ("host", "expected"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1")]
    )
    def test_connectable(self, host: str, expected: str) -> None:
        """A client connects to the loopback address of a wildcard's family."""
        assert Host(host).connectable == expected

    @pytest.mark.parametrize(
        ("authority", "name"),
        [
            ("workers.internal", "workers.internal"),
            ("workers.internal:8443", "workers.internal"),
            ("[::1]", "::1"),
            ("[::1]:8443", "::1"),
            ("localhost]", "localhost]"),
            ("[::1].evil.example", "[::1].evil.example"),
            ("[::1]evil:80", "[::1]evil:80"),
            ("localhost:80.evil.example", "localhost:80.evil.example"),
            ("localhost:80@evil.example", "localhost:80@evil.example"),
            ("user@localhost", "user@localhost"),
            ("localhost:", "localhost"),
            ("", ""),
        ],
    )
    def test_of_authority(self, authority: str, name: str) -> None:
        """The host of a ``Host`` header, without the port; of another text, the whole text."""
        assert Host.of_authority(authority).text == name

    def test_local_names_hold_both_loopbacks(self) -> None:
        """The local names include the loopback addresses of IPv4 and IPv6."""
        addresses = [ipaddress.ip_address(name) for name in LOCAL_NAMES if Host(name).is_address]
        assert {address.version for address in addresses if address.is_loopback} == {4, 6}
