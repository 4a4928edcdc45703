"""One request to upstream on a connection, which is kept where that is safe."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.runners.upstreams import read_request, serving
from tests.support import TIMEOUT, free_port
from wove_http_dev.option_urls import UpstreamAddress
from wove_http_dev.runners.upstream_answer import HttpAnswer
from wove_http_dev.runners.upstream_connection import (
    IDLE_CONNECTIONS,
    IDLE_TIME,
    Connections,
)
from wove_http_dev.runners.upstream_failures import UpstreamError
from wove_http_dev.runs.forwarding import ABANDONED, UpstreamLeg
from wove_http_dev.tls import CertificateAuthority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n"
Connect = Callable[..., Connections]


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connect(clock: Clock) -> Iterator[Connect]:
    """``connect(port)`` returns open connections to the port."""
    with ExitStack() as stack:

        def make(port: int, *, limit: int = 1000, context: Any = None) -> Connections:
            address = UpstreamAddress(context is not None, "localhost", port, "/")
            made = Connections(address, lambda: context, answer_limit=limit, clock=clock)
            made.open()
            stack.callback(made.close, TIMEOUT)
            return made

        yield make


def send(connections: Connections, body: bytes = b"body", wait: float = TIMEOUT) -> HttpAnswer:
    """The answer to one request."""
    return connections.attempt().send(HEAD, body, UpstreamLeg(), wait=wait)


def failure(
    connections: Connections, body: bytes = b"body", wait: float = TIMEOUT
) -> UpstreamError:
    """Why one request has no answer."""
    with pytest.raises(UpstreamError) as caught:
        send(connections, body, wait)
    return caught.value


def answering(*answers: bytes) -> Callable[[socket.socket], None]:
    """Answers the requests of one connection in order, and closes it."""

    def serve(sock: socket.socket) -> None:
        for answer in answers:
            read_request(sock)
            sock.sendall(answer)

    return serve


def test_answer(connect: Connect) -> None:
    """Status, reason, headers and body of an answer."""
    with serving(answering(OK)) as port:
        got = send(connect(port))
    assert (got.status, got.reason, got.headers, got.body) == (
        200,
        "OK",
        [("Content-Length", "2")],
        b"{}",
    )


def test_leg(connect: Connect, clock: Clock) -> None:
    """The record has status, time and sizes."""
    leg = UpstreamLeg()

    def later(sock: socket.socket) -> None:
        read_request(sock)
        clock.now = 2.0
        sock.sendall(OK)

    with serving(later) as port:
        attempt = connect(port).attempt()
        attempt.send(HEAD, b"body", leg, wait=TIMEOUT)
    assert leg == UpstreamLeg(status=200, seconds=2.0, sent=4, received=2)


def test_connection_is_kept(connect: Connect) -> None:
    """Two requests after one another have one connection."""
    leg = UpstreamLeg()
    with serving(answering(OK, OK)) as port:
        connections = connect(port)
        send(connections)
        connections.attempt().send(HEAD, b"body", leg, wait=TIMEOUT)
    assert leg.reused


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        OK + OK,
    ],
    ids=["close", "http-1.0", "bytes-after-it"],
)
def test_connection_is_not_kept(connect: Connect, answer: bytes) -> None:
    """A connection is not used again that upstream closes, or that has more bytes than one
    answer."""
    with serving(answering(answer)) as port:
        connections = connect(port)
        send(connections)
        assert connections.take_idle() is None


def test_closed_while_idle(connect: Connect) -> None:
    """A kept connection that upstream has closed is not used: no request is lost with it."""
    closed = threading.Event()

    def serve(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK)
        sock.shutdown(socket.SHUT_RDWR)
        closed.set()

    with serving(serve, connections=2) as port:
        connections = connect(port)
        send(connections)
        assert closed.wait(TIMEOUT)
        assert send(connections).body == b"{}"


def test_idle_for_too_long(connect: Connect, clock: Clock) -> None:
    """A connection that was idle for longer than servers keep one is closed."""
    with serving(answering(OK, OK)) as port:
        connections = connect(port)
        send(connections)
        clock.now += IDLE_TIME + 0.1
        assert connections.take_idle() is None


def test_old_connections_are_closed(connect: Connect, clock: Clock) -> None:
    """A connection that was idle for too long is closed as soon as another one is kept."""
    connections = connect(1)
    pairs = [socket.socketpair() for _ in range(2)]
    for mine, _ in pairs:
        connections.give_back(connections.attempt(), mine, keep=True)
        clock.now += IDLE_TIME + 0.1
    open_ones = [mine.fileno() != -1 for mine, _ in pairs]
    for _, theirs in pairs:
        theirs.close()
    assert open_ones == [False, True]


def test_number_of_idle_connections(connect: Connect) -> None:
    """Only so many connections are kept."""
    connections = connect(1)
    pairs = [socket.socketpair() for _ in range(IDLE_CONNECTIONS + 1)]
    for mine, _ in pairs:
        connections.give_back(connections.attempt(), mine, keep=True)
    taken = [connections.take_idle() for _ in pairs]
    for each in [*(theirs for _, theirs in pairs), *filter(None, taken)]:
        each.close()
    assert taken.count(None) == 1


def test_lost(connect: Connect) -> None:
    """A request whose connection ends without an answer may have run; it is not sent again."""
    with serving(answering(b"")) as port:
        error = failure(connect(port))
    assert (error.code, "may have run" in str(error)) == ("upstream-lost", True)


def test_nothing_listens(connect: Connect) -> None:
    """A refused connection says so."""
    assert failure(connect(free_port())).code == "upstream-unreachable"


def test_host_with_two_addresses(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first address of a host refuses the connection, the next one is tried."""
    kind = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    found = [(*kind, ("127.0.0.2", 0)), (*kind, ("127.0.0.1", 0))]
    with serving(answering(OK)) as port, monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        assert send(connect(port)).body == b"{}"


def test_no_answer_in_time(connect: Connect, clock: Clock) -> None:
    """An answer that does not begin in time is not waited for."""
    done = threading.Event()

    def silent(sock: socket.socket) -> None:
        done.wait(TIMEOUT)

    with serving(silent) as port:
        error = failure(connect(port), wait=0.01)
        done.set()
    assert (error.code, error.status) == ("upstream-timeout", 504)


def test_answer_before_the_end_of_a_request(connect: Connect) -> None:
    """An answer to a request that upstream does not read to its end is received."""

    def refuse(sock: socket.socket) -> None:
        sock.recv(1)
        sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    with serving(refuse) as port:
        assert send(connect(port), b"a" * 2**23).status == 413


def test_abort_before(connect: Connect) -> None:
    """An attempt that was aborted before sends nothing."""
    attempt = connect(1).attempt()
    attempt.abort()
    with pytest.raises(UpstreamError) as caught:
        attempt.send(HEAD, b"body", UpstreamLeg(), wait=TIMEOUT)
    assert caught.value.code == ABANDONED


def test_close_ends_a_request(connect: Connect) -> None:
    """Closing the connections ends a request that waits for its answer."""
    arrived, codes = threading.Event(), []

    def silent(sock: socket.socket) -> None:
        read_request(sock)
        arrived.set()
        sock.recv(1)

    with serving(silent) as port:
        connections = connect(port)
        thread = threading.Thread(target=lambda: codes.append(failure(connections).code))
        thread.start()
        assert arrived.wait(TIMEOUT)
        connections.close(TIMEOUT)
        thread.join(TIMEOUT)
    assert codes == [ABANDONED]


def test_closed(connect: Connect) -> None:
    """After it was closed nothing is sent."""
    connections = connect(1)
    connections.close(TIMEOUT)
    assert failure(connections).code == ABANDONED


def test_tls(connect: Connect, wove_http_ca: CertificateAuthority) -> None:
    """TLS, with a certificate of a CA that is trusted."""
    context = wove_http_ca.server_context("localhost")

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as wrapped:
            answering(OK, OK)(wrapped)

    with serving(serve) as port:
        connections = connect(port, context=wove_http_ca.client_context())
        send(connections)
        assert send(connections).body == b"{}"


def test_untrusted(connect: Connect, wove_http_ca: CertificateAuthority) -> None:
    """A certificate of another CA is refused."""
    context = wove_http_ca.server_context("localhost")

    def serve(sock: socket.socket) -> None:
        context.wrap_socket(sock, server_side=True)

    with serving(serve) as port:
        connections = connect(port, context=ssl.create_default_context())
        assert failure(connections).code == "upstream-tls"


def test_impersonated_host_is_not_used(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up names no port: a host with a port may be resolved to a worker."""
    asked: list[Any] = []
    original = socket.getaddrinfo

    def look_up(host: Any, port: Any, *args: Any, **words: Any) -> Any:
        asked.append(port)
        return original(host, port, *args, **words)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with serving(answering(OK)) as port:
        send(connect(port))
        assert asked == [None]  # before the end of the block, which connects as well
