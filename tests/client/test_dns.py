"""The look-up function that resolves an impersonated host name to a worker."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from wove_http_dev.client import dns
from wove_http_dev.errors import RestoreWarning

TARGET = ("127.0.0.1", 4711)


def resolved(host: Any, port: Any) -> Any:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4]


@pytest.mark.parametrize("host", ["workers.internal", "WORKERS.internal", b"workers.internal"])
@pytest.mark.parametrize("port", [443, "443"])
def test_name_is_mapped(host: Any, port: Any) -> None:
    """Host and port are mapped in every spelling that clients use."""
    with dns.resolve_to("workers.internal", 443, TARGET):
        assert resolved(host, port) == TARGET


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 443), ("127.0.0.1", None)])
def test_other_names_are_resolved_as_before(host: str, port: int | None) -> None:
    """Other hosts and ports are resolved as before."""
    before = resolved(host, port)
    with dns.resolve_to("workers.internal", 443, TARGET):
        assert resolved(host, port) == before


def test_other_port_is_not_mapped() -> None:
    """The host on another port is not mapped."""
    with dns.resolve_to("workers.invalid", 443, TARGET), pytest.raises(socket.gaierror):
        resolved("workers.invalid", 444)


def test_name_is_not_mapped_afterwards() -> None:
    """After the block the host is not mapped."""
    with dns.resolve_to("workers.invalid", 443, TARGET):
        pass
    with pytest.raises(socket.gaierror):
        resolved("workers.invalid", 443)


def test_foreign_lookup_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up function installed inside the block stays, and a warning says so."""
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)

    def installed(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("not called")

    with (
        pytest.warns(RestoreWarning, match="getaddrinfo"),
        dns.resolve_to("workers.internal", 443, TARGET),
    ):
        socket.getaddrinfo = installed
    assert socket.getaddrinfo is installed


def test_wrapped_lookup_maps_nothing_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the block the package's look-up maps nothing, even if another one still wraps it."""
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    mapping = dns.resolve_to("workers.invalid", 443, TARGET)
    mapping.__enter__()
    mapping_lookup: Any = socket.getaddrinfo
    socket.getaddrinfo = lambda *args, **kwargs: mapping_lookup(*args, **kwargs)
    with pytest.warns(RestoreWarning):
        mapping.__exit__(None, None, None)
    with pytest.raises(socket.gaierror):
        resolved("workers.invalid", 443)
