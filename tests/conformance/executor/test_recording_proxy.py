"""A proxy on loopback that keeps what it is asked for."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support import TIMEOUT
from wove_http_dev.conformance.executor.recording_proxy import RecordingProxy


@pytest.fixture
def proxy() -> Iterator[RecordingProxy]:
    """A proxy that listens."""
    with RecordingProxy() as proxy:
        yield proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what the first connection sends, once."""

    def serve() -> None:
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(accepted.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(TIMEOUT)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        thread.join(TIMEOUT)


def test_a_tunnel(proxy: RecordingProxy, echo: int) -> None:
    """A CONNECT leads to the port that it names, in both directions."""
    connection = http.client.HTTPConnection(proxy.address, timeout=TIMEOUT)
    connection.set_tunnel("127.0.0.1", echo)
    connection.connect()
    connection.sock.sendall(b"through the tunnel")
    assert connection.sock.recv(100) == b"through the tunnel"
    connection.close()


def test_the_end_of_a_tunnel(proxy: RecordingProxy, echo: int) -> None:
    """A tunnel ends when its target ends."""
    connection = http.client.HTTPConnection(proxy.address, timeout=TIMEOUT)
    connection.set_tunnel("127.0.0.1", echo)
    connection.connect()
    connection.sock.sendall(b"x")
    assert [connection.sock.recv(100), connection.sock.recv(100)] == [b"x", b""]
    connection.close()


def test_heads_are_kept(proxy: RecordingProxy) -> None:
    """The head of a request that is no CONNECT is kept, and the request refused."""
    connection = http.client.HTTPConnection(proxy.address, timeout=TIMEOUT)
    connection.request("POST", "http://example.invalid/tasks", b"", {"X-Secret": "s"})
    status = connection.getresponse().status
    connection.close()
    (head,) = proxy.heads
    assert (status, head.split("\r\n")[0]) == (502, "POST http://example.invalid/tasks HTTP/1.1")
    assert "X-Secret: s" in head


def test_what_is_no_request_is_kept(proxy: RecordingProxy) -> None:
    """Bytes that are no head are kept when the connection ends."""
    host, port = proxy.address.split(":")
    with socket.create_connection((host, int(port)), TIMEOUT) as client:
        client.sendall(b"\x16\x03\x01")
        client.shutdown(socket.SHUT_WR)
        client.recv(1000)
    assert proxy.heads == ["\x16\x03\x01"]
