"""Memory for replies that their clients do not read."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.service.helpers import both
from tests.support import (
    TIMEOUT,
    MakeWorker,
    connect,
    parse_responses,
    read_all,
    run_frame,
    send_one,
    signed_bytes,
    weave_one,
)
from wove_http_dev.service.budget import ByteBudget
from wove_http_dev.service.client_socket import CHUNK, ClientSocket
from wove_http_dev.service.connection import HttpConnection
from wove_http_dev.service.limits import Limits
from wove_http_dev.worker import HttpWorker

SMALL = Limits(replies=CHUNK, unread=0.01)
"""Room for no large reply."""


def large() -> bytes:
    """A task whose reply is more than the buffers of a connection take."""
    return b"x" * 10_000_000


@pytest.fixture
def stalled(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function that waits until a client has stopped reading: the buffers of its connection are
    full."""
    looked = threading.Semaphore(0)
    relieve = ByteBudget.relieve

    def look(budget: ByteBudget) -> None:
        relieve(budget)
        looked.release()

    def wait() -> None:
        for _ in range(2):  # once when the reply is ready, then whenever no byte was taken
            assert looked.acquire(timeout=TIMEOUT)

    monkeypatch.setattr(ByteBudget, "relieve", look)
    return wait


@contextlib.contextmanager
def unread(worker: HttpWorker, stalled: Callable[[], None]) -> Iterator[socket.socket]:
    """A client that does not read its large reply."""
    with connect(worker) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)  # it may grow by itself else
        sock.sendall(signed_bytes(worker, run_frame(large)))
        stalled()
        yield sock


def make_room(worker: HttpWorker) -> None:
    """Get large replies until the unread one, of the first exchange, was ended for one of them. It
    is not, as long as the kernel still takes some of it."""
    deadline = time.monotonic() + TIMEOUT
    while not worker.exchanges[0].code and time.monotonic() < deadline:
        send_one(worker, signed_bytes(worker, run_frame(large)))


def budget_of(worker: HttpWorker) -> ByteBudget:
    """The memory for the replies of ``worker``."""
    budget: ByteBudget = worker._host._server.replies  # type: ignore[attr-defined]
    return budget


@both
def test_reply_that_others_read(
    make_worker: MakeWorker, stalled: Callable[[], None], tls: bool
) -> None:
    """A client that reads gets its large reply, although another has left one unread."""
    worker = make_worker(tls=tls, limits=SMALL)
    with unread(worker, stalled):
        assert send_one(worker, signed_bytes(worker, run_frame(large))).result == large()


def test_real_client(
    wove_http_worker_factory: Callable[..., HttpWorker], stalled: Callable[[], None]
) -> None:
    """Wove's executor gets its large result, although another client has left one unread."""
    worker = wove_http_worker_factory(limits=SMALL)
    with unread(worker, stalled):
        assert weave_one(large) == large()


@both
def test_unread_reply_is_recorded(
    make_worker: MakeWorker, stalled: Callable[[], None], tls: bool
) -> None:
    """The journal says with a code that an unread reply made room; strict mode does not report
    it."""
    worker = make_worker(tls=tls, limits=SMALL)
    with unread(worker, stalled):
        make_room(worker)
    ended = worker.exchanges[0]
    assert (ended.code, ended.violation) == ("connection-evicted", False)


def test_client_of_an_unread_reply(make_worker: MakeWorker, stalled: Callable[[], None]) -> None:
    """The client that had left its reply unread gets a reset, not a reply that seems complete."""
    worker = make_worker(tls=False, limits=SMALL)
    with unread(worker, stalled) as sock:
        make_room(worker)
        # The reset comes a moment after the end of the reply.
        poller = select.poll()
        poller.register(sock, 0)  # errors only
        assert poller.poll(TIMEOUT * 1000)
        with pytest.raises(ConnectionResetError):
            read_all(sock)


@both
def test_only_reply_is_left_alone(
    make_worker: MakeWorker, stalled: Callable[[], None], tls: bool
) -> None:
    """A client that reads its reply late gets it whole while no other one takes memory."""
    worker = make_worker(tls=tls, limits=SMALL)
    with unread(worker, stalled) as sock:
        (response,) = parse_responses(read_all(sock))
    assert response.result == large()


def test_counted_bytes(make_worker: MakeWorker, stalled: Callable[[], None]) -> None:
    """A reply is counted, while it is written, as the bytes of its body."""
    worker = make_worker(tls=False, limits=Limits(unread=0.01))
    with unread(worker, stalled) as sock:
        counted = budget_of(worker).used
        beginning = sock.recv(1000)
    assert f"Content-Length: {counted}\r\n".encode() in beginning


def test_bytes_that_are_given_back(make_worker: MakeWorker) -> None:
    """A reply that was read is not counted any more."""
    worker = make_worker(tls=False)
    send_one(worker, signed_bytes(worker, run_frame(large)))  # until the connection ends
    assert budget_of(worker).used == 0


def test_small_reply_is_not_counted(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small reply has no share."""
    added: list[object] = []
    monkeypatch.setattr(ByteBudget, "add", lambda *share: added.append(share))
    send_one(worker, signed_bytes(worker, run_frame(lambda: b"x" * (CHUNK // 2))))
    assert added == []


def test_large_reply_is_not_copied(worker: HttpWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large reply only the first piece is copied, to be one record with the head."""
    copied: list[int] = []
    send = ClientSocket.send

    def look(client: ClientSocket, data: bytes | memoryview, *args: Any, **kwargs: Any) -> None:
        if isinstance(data, bytes):
            copied.append(len(data))
        send(client, data, *args, **kwargs)

    monkeypatch.setattr(ClientSocket, "send", look)
    assert send_one(worker, signed_bytes(worker, run_frame(large))).result == large()
    assert copied == [CHUNK]


# The connection


@pytest.fixture
def pair() -> Iterator[tuple[HttpConnection, socket.socket]]:
    """A connection that serves nothing, and its client."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), TIMEOUT)
        accepted, _ = listener.accept()
    owner: Any = SimpleNamespace(names=tuple, certificates=None, tls=None)
    with client, accepted:
        yield HttpConnection(owner, accepted, Limits()), client


def test_reply_that_waits_for_its_client(pair: tuple[HttpConnection, socket.socket]) -> None:
    """A connection that waits for the reader of its reply can be ended."""
    connection, _ = pair
    connection.awaits = "reader"
    assert (connection.end_reply(), connection.evicted) == (True, True)


def test_reply_that_a_fault_stalls(pair: tuple[HttpConnection, socket.socket]) -> None:
    """A connection that does not wait for its client, but for the end of a fault, is left alone."""
    connection, _ = pair
    connection.awaits = ""
    assert (connection.end_reply(), connection.evicted) == (False, False)
