"""The server of the control API: hostile clients, its end, and what it leaves behind."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.support import LOOPBACKS, TIMEOUT, closing_all, lasting, read_all
from wove_http_dev.errors import PortInUseError
from wove_http_dev.inspector import server
from wove_http_dev.inspector.server import ApiServer, reserve_page_port
from wove_http_dev.service.port import Port


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answers with the path."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]


@pytest.fixture
def served() -> Iterator[ApiServer]:
    with ApiServer(app, Port("localhost", 0)) as running:
        yield running


def connect(served: ApiServer, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((address, served.number), TIMEOUT)


def ask(served: ApiServer, data: bytes, address: str = "127.0.0.1") -> bytes:
    """Send ``data``; return everything that came back."""
    with connect(served, address) as sock:
        sock.sendall(data)
        return read_all(sock)


def page_threads() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name.startswith("wove-http-dev-page")]


@pytest.mark.parametrize("address", LOOPBACKS)
def test_each_address_of_localhost(served: ApiServer, address: str) -> None:
    """It listens on each address that a browser may try for localhost."""
    assert ask(served, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n", address).endswith(b"/x\r\n0\r\n\r\n")


def test_no_version_in_the_head(served: ApiServer) -> None:
    """The answer does not say which Python serves it."""
    assert b"Server: wove-http-dev\r\n" in ask(served, b"GET / HTTP/1.0\r\n\r\n")


def test_silent_clients_do_not_block(served: ApiServer) -> None:
    """Clients that send nothing do not keep others from being served."""
    with closing_all() as sockets:
        sockets += [connect(served) for _ in range(20)]
        assert ask(served, b"GET /x HTTP/1.0\r\n\r\n").endswith(b"/x")


def test_silent_clients_beyond_the_limit(
    served: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest silent client makes room for another one."""
    monkeypatch.setattr(server, "CONNECTIONS", 4)
    with closing_all() as sockets:
        sockets += [connect(served) for _ in range(12)]
        assert ask(served, b"GET /x HTTP/1.0\r\n\r\n").endswith(b"/x")
        assert sockets[0].recv(1) == b""


def test_connections_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every connection has sent its request, a new one is closed."""
    monkeypatch.setattr(server, "CONNECTIONS", 2)
    ready, go_on = threading.Semaphore(0), threading.Event()

    def slow(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        ready.release()
        go_on.wait(TIMEOUT)
        return app(environ, start_response)

    with ApiServer(slow, Port("localhost", 0)) as served, closing_all() as sockets:
        for _ in range(2):
            sockets.append(connect(served))
            sockets[-1].sendall(b"GET /x HTTP/1.0\r\n\r\n")
            assert ready.acquire(timeout=TIMEOUT)
        with connect(served) as refused, contextlib.suppress(ConnectionError):
            assert refused.recv(1) == b""
        go_on.set()
        assert [read_all(sock).endswith(b"/x") for sock in sockets] == [True, True]


def test_answered_clients_that_still_send(
    served: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that was answered, and keeps back the rest of its request, makes room."""
    monkeypatch.setattr(server, "CONNECTIONS", 3)
    monkeypatch.setattr(server, "DRAIN_TIME", TIMEOUT)
    with closing_all() as sockets:
        for _ in range(3):
            sockets.append(connect(served))
            sockets[-1].sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
            assert sockets[-1].recv(8) == b"HTTP/1.1"
        assert ask(served, b"GET /x HTTP/1.0\r\n\r\n").endswith(b"/x")


def test_silent_client_is_closed(served: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends no whole request in time is closed."""
    monkeypatch.setattr(server, "READ_TIME", 0.05)
    with connect(served) as sock:
        sock.sendall(b"GET / HT")
        read_all(sock)  # returns when the server has closed


def test_long_request_line(served: ApiServer) -> None:
    """A request line of 1 MB is 414 in JSON."""
    found = ask(served, b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 414 ")
    assert b"\r\nContent-Type: application/json\r\n" in found


def test_many_headers(served: ApiServer) -> None:
    """A head of 1 MB is 431."""
    found = ask(served, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200_000 + b"\r\n")
    assert found.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x00\x05hello\r\n\r\n", b"GET\r\n\r\n", b"\0\r\n"])
def test_no_http(served: ApiServer, data: bytes) -> None:
    """What is not HTTP is answered with an error, or closed."""
    assert b"Traceback" not in ask(served, data)


@pytest.mark.parametrize(
    "length", ["x", "-1", "+2", "1, 1", "2_0", "\xb2", "2\r\nContent-Length: 3"]
)
def test_content_length_that_is_none(served: ApiServer, length: str) -> None:
    """A body whose length is unknown is 400, and not taken for an empty one (RFC 9112, 6.3)."""
    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
    assert ask(served, head.encode("latin-1")).startswith(b"HTTP/1.1 400 ")


def test_expect_is_answered_once(served: ApiServer) -> None:
    """A client that waits for it gets one ``100 Continue`` (RFC 9110, 10.1.1)."""
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n{}"
    assert ask(served, head).count(b"100 Continue") == 1


def test_headers_of_a_refusal(served: ApiServer) -> None:
    """What the application never sees is answered with the same headers."""
    found = ask(served, b"GET / HTTP/x\r\n\r\n")
    assert b"\r\nContent-Security-Policy: default-src 'self'\r\n" in found


def test_target_that_urllib_cannot_split(
    served: ApiServer, capfd: pytest.CaptureFixture[str]
) -> None:
    """A malformed target is 400, and no traceback."""
    found = ask(served, b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (found[:13], capfd.readouterr().err) == (b"HTTP/1.1 400 ", "")


def test_nothing_is_logged(served: ApiServer, capfd: pytest.CaptureFixture[str]) -> None:
    """A request, whose target may have the token, is on no terminal."""
    ask(served, b"GET /?token=secret HTTP/1.1\r\nHost: x\r\n\r\n")
    ask(served, b"GET /?token=secret HTTP/x\r\n\r\n")
    assert capfd.readouterr() == ("", "")


def test_application_that_raises(capfd: pytest.CaptureFixture[str]) -> None:
    """A bug of the application is a traceback on stderr, and 500."""

    def bent(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise LookupError("bent")

    with ApiServer(bent, Port("localhost", 0)) as served:
        found = ask(served, b"GET /?token=secret HTTP/1.0\r\n\r\n")
    err = capfd.readouterr().err
    assert (found[:13], "LookupError: bent" in err, "secret" in err) == (
        b"HTTP/1.0 500 ",
        True,
        False,
    )


def test_client_that_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose client does not take it ends, and its application is told."""
    monkeypatch.setattr(server, "WRITE_TIME", 0.05)
    closed = threading.Event()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 2**20
        finally:
            closed.set()

    def stream(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return endless()

    with ApiServer(stream, Port("localhost", 0)) as served, connect(served) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert closed.wait(TIMEOUT)


def test_stop_ends_silent_clients() -> None:
    """The end closes connections, and leaves no thread."""
    with closing_all() as sockets:
        with ApiServer(app, Port("localhost", 0)) as served:
            sockets += [connect(served) for _ in range(5)]
            ask(served, b"GET / HTTP/1.0\r\n\r\n")
        assert lasting(page_threads()) == []
        assert [sock.recv(1) for sock in sockets] == [b""] * 5


def test_stop_releases_the_port() -> None:
    """The port is free afterwards."""
    with ApiServer(app, Port("localhost", 0)) as served:
        number = served.number
    Port("localhost", number).close()


def test_stop_twice(served: ApiServer) -> None:
    """A second stop does nothing."""
    served.stop()
    served.stop()


class TestReservePagePort:
    """The choice of the page's port."""

    def test_free_one(self) -> None:
        """The port 0 is a free one."""
        port = reserve_page_port(0)
        port.close()
        assert port.number

    def test_given_one_in_use(self) -> None:
        """A port that was given and is in use is an error that says what to do."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = other.getsockname()[1]
            with pytest.raises(PortInUseError, match=f"page port {number} is in use.*--page-port"):
                reserve_page_port(number)

    def test_default_in_use(self) -> None:
        """Where only the default is in use, a free one is used."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            number = other.getsockname()[1]
            port = reserve_page_port(None, number)
            port.close()
        assert port.number != number
