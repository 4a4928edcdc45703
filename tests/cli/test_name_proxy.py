"""The proxy of ``exec --impersonate``: tunnels to one name lead to the worker, others where they
should."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import urllib.parse
from collections.abc import Iterator

import pytest

from tests.support import TIMEOUT, free_port, lasting
from wove_http_dev.cli.name_proxy import PROXY_VARIABLES, check_proxies, name_proxy
from wove_http_dev.errors import UsageError

HOST = "workers.internal"


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A listening socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT)
        yield listener


def tunnel(proxy: str, place: str, more: str = "") -> socket.socket:
    """A connection to ``proxy`` that has asked for a tunnel to ``place``, and has sent ``more``."""
    port = urllib.parse.urlsplit(proxy).port
    assert port is not None
    client = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    client.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n{more}".encode())
    return client


def answer(client: socket.socket) -> str:
    """The first line of the proxy's answer, all of which is read."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.recv(1) or pytest.fail(repr(head))
    return head.split(b"\r\n")[0].decode()


@contextlib.contextmanager
def joined(server: socket.socket) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a tunnel to the name."""
    with (
        name_proxy(HOST, 443, server.getsockname()[:2]) as proxy,
        tunnel(proxy, f"{HOST}:443") as client,
    ):
        assert answer(client) == "HTTP/1.1 200 Connection established"
        peer, _ = server.accept()
        peer.settimeout(TIMEOUT)
        with peer:
            yield client, peer


def test_to_the_worker(server: socket.socket) -> None:
    """What the client sends reaches the worker."""
    with joined(server) as (client, peer):
        client.sendall(b"ping")
        assert peer.recv(4) == b"ping"


def test_before_the_answer(server: socket.socket) -> None:
    """What the client sends before it has the answer is not lost."""
    with (
        name_proxy(HOST, 443, server.getsockname()[:2]) as proxy,
        tunnel(proxy, f"{HOST}:443", "early") as client,
    ):
        peer, _ = server.accept()
        peer.settimeout(TIMEOUT)
        with peer:
            assert (answer(client)[9:12], peer.recv(5)) == ("200", b"early")


def test_from_the_worker(server: socket.socket) -> None:
    """What the worker sends reaches the client."""
    with joined(server) as (client, peer):
        peer.sendall(b"pong")
        assert client.recv(4) == b"pong"


def test_end(server: socket.socket) -> None:
    """The end of what one side sends is passed on, and the other side may still send."""
    with joined(server) as (client, peer):
        client.shutdown(socket.SHUT_WR)
        assert peer.recv(1) == b""
        peer.sendall(b"late")
        assert client.recv(4) == b"late"


def test_reset(server: socket.socket) -> None:
    """A connection that the worker resets is reset for the client."""
    with joined(server) as (client, peer):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_name_in_capitals(server: socket.socket) -> None:
    """A host name is the same in capitals (RFC 4343)."""
    with (
        name_proxy(HOST, 443, server.getsockname()[:2]) as proxy,
        tunnel(proxy, "WORKERS.internal:443") as client,
    ):
        assert "200" in answer(client)


def test_another_place(server: socket.socket) -> None:
    """A tunnel to any other place leads there."""
    with (
        name_proxy(HOST, 443, ("127.0.0.1", 1)) as proxy,
        tunnel(proxy, f"127.0.0.1:{server.getsockname()[1]}") as client,
    ):
        assert "200" in answer(client)


def test_another_port(server: socket.socket) -> None:
    """Another port of the name is another place: one that does not exist."""
    with (
        name_proxy("no-such-host.invalid", 443, server.getsockname()[:2]) as proxy,
        tunnel(proxy, "no-such-host.invalid:8443") as client,
    ):
        assert answer(client) == "HTTP/1.1 502 Cannot connect: gaierror"


def test_worker_that_refuses() -> None:
    """A place that cannot be reached is a 502."""
    target = ("127.0.0.1", free_port())
    with name_proxy(HOST, 443, target) as proxy, tunnel(proxy, f"{HOST}:443") as client:
        assert answer(client) == "HTTP/1.1 502 Cannot connect: ConnectionRefusedError"


@pytest.mark.parametrize(
    "request_line", ["GET http://a/ HTTP/1.1", "CONNECT a HTTP/1.1", "CONNECT a:b HTTP/1.1", ""]
)
def test_no_tunnel(server: socket.socket, request_line: str) -> None:
    """Any other request is refused."""
    with name_proxy(HOST, 443, server.getsockname()[:2]) as proxy:
        port = urllib.parse.urlsplit(proxy).port
        assert port is not None
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
            client.sendall(f"{request_line}\r\n\r\n".encode())
            assert answer(client) == "HTTP/1.1 405 Only CONNECT"


def test_client_that_says_nothing() -> None:
    """The end does not wait for a client that says nothing."""
    with name_proxy(HOST, 1, ("127.0.0.1", 1)) as proxy:
        port = urllib.parse.urlsplit(proxy).port
        assert port is not None
        silent = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    with silent, contextlib.suppress(ConnectionResetError):  # it was accepted, or was not
        assert silent.recv(1) == b""


def test_end_of_a_tunnel(server: socket.socket, caplog: pytest.LogCaptureFixture) -> None:
    """The end does not wait for an open tunnel, which it closes, and logs nothing."""
    with contextlib.ExitStack() as ends:
        with name_proxy(HOST, 443, server.getsockname()[:2]) as proxy:
            client = ends.enter_context(tunnel(proxy, f"{HOST}:443"))
            assert "200" in answer(client)
            peer = ends.enter_context(server.accept()[0])
        peer.settimeout(TIMEOUT)
        assert peer.recv(1) == b""
    assert caplog.records == []


def test_no_thread_is_left(server: socket.socket) -> None:
    """The proxy's thread has ended after the block."""
    with joined(server):
        pass
    assert lasting(each for each in threading.enumerate() if "proxy" in each.name) == []


def test_no_thread_for_a_tunnel(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tunnel whose second thread the system refuses is closed, and nothing else happens."""
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def start_two(thread: threading.Thread) -> None:
        if "proxy" in thread.name:
            if len(started) == 2:
                raise RuntimeError("can't start new thread")
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_two)
    with joined(server) as (client, peer):
        assert (client.recv(1), peer.recv(1)) == (b"", b"")


@pytest.mark.parametrize("name", PROXY_VARIABLES)
def test_other_proxy(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A proxy that is set already is an error that says what to do."""
    monkeypatch.setenv(name, "http://proxy:3128")
    with pytest.raises(UsageError, match=f"env -u {name}"):
        check_proxies(HOST)


@pytest.mark.parametrize("excluded", [HOST, ".internal", "*"])
def test_excluded_name(monkeypatch: pytest.MonkeyPatch, excluded: str) -> None:
    """A name for which clients ask no proxy is an error that says what to do."""
    monkeypatch.setenv("no_proxy", excluded)
    with pytest.raises(UsageError, match="env -u no_proxy"):
        check_proxies(HOST)


def test_no_proxy_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other names may be excluded."""
    monkeypatch.setenv("no_proxy", "localhost")
    check_proxies(HOST)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable for proxies is set."""
    for name in (*PROXY_VARIABLES, "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
