"""The socket of one client, without TLS; test_connection.py has it with TLS."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from wove_http_dev.service import client_socket
from wove_http_dev.service.client_socket import CHUNK, ClientSocket

TIMEOUT = 30.0
"""Seconds after which a test that blocks fails."""


@pytest.fixture
def far() -> Iterator[socket.socket]:
    """The client's end of the connection."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
        sock.settimeout(TIMEOUT)
        yield sock


@pytest.fixture
def near(far: socket.socket) -> Iterator[ClientSocket]:
    """The worker's end of the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far.connect(listener.getsockname())
        accepted, _ = listener.accept()
    client = ClientSocket(accepted)
    yield client
    client.end()


def test_receive(near: ClientSocket, far: socket.socket) -> None:
    """What the client sent is received."""
    far.sendall(b"x")
    assert near.receive(10, TIMEOUT) == b"x"


def test_broken(near: ClientSocket) -> None:
    """An error of the socket is kept, so that it can be told from other errors."""
    with pytest.raises(BlockingIOError) as raised:
        near.receive(1, 0)
    assert near.broken is raised.value


def test_end_with_a_copy(near: ClientSocket, far: socket.socket) -> None:
    """The client gets the end although a copy of the descriptor is open."""
    copy = os.dup(near.fileno())
    try:
        near.end()
        assert far.recv(1) == b""
    finally:
        os.close(copy)


def test_end_with_unread_bytes(near: ClientSocket, far: socket.socket) -> None:
    """The client gets a reset if bytes are unread (RFC 2525, 2.17)."""
    far.sendall(b"xy")
    near.receive(1, TIMEOUT)
    near.end()
    with pytest.raises(ConnectionResetError):
        far.recv(1)


def test_reset(near: ClientSocket, far: socket.socket) -> None:
    """The client gets a reset if the connection must end with one."""
    near.must_reset = True
    near.end()
    with pytest.raises(ConnectionResetError):
        far.recv(1)


def test_shut_down(near: ClientSocket) -> None:
    """After shut_down() nothing more is received."""
    near.shut_down(socket.SHUT_RD)
    assert near.receive(1, TIMEOUT) == b""


def test_drain_ends_the_sending_direction(near: ClientSocket, far: socket.socket) -> None:
    """drain() ends what the client receives, and reads until the client closes."""
    far.sendall(b"rest")
    far.shutdown(socket.SHUT_WR)
    near.drain(TIMEOUT)
    assert far.recv(1) == b""


def test_drain_has_an_end(
    near: ClientSocket, far: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """drain() waits no longer for the second byte than what the first one left of its time."""
    clock = iter([0.0, 0.0, TIMEOUT - 0.1]).__next__
    monkeypatch.setattr(client_socket, "time", SimpleNamespace(monotonic=clock))
    far.sendall(b"x")
    with pytest.raises(TimeoutError):
        near.drain(TIMEOUT)
    assert near._sock.gettimeout() == pytest.approx(0.1)


# Writing


def test_send(near: ClientSocket, far: socket.socket) -> None:
    """What is written arrives."""
    near.send(b"hello", TIMEOUT)
    assert far.recv(10) == b"hello"


def test_large_data_is_written_in_pieces(near: ClientSocket, far: socket.socket) -> None:
    """``begun`` is called for each piece."""
    begun: list[int] = []
    near.send(b"x" * (CHUNK + 1), TIMEOUT, begun=lambda: begun.append(1))
    assert len(begun) == 2


def test_client_that_reads_late(near: ClientSocket, far: socket.socket) -> None:
    """``stalled`` is called while the client does not read; when it reads it gets everything."""
    data = bytes(range(256)) * (64 * CHUNK // 256)
    received = bytearray()

    def read() -> None:
        while len(received) < len(data):
            received.extend(far.recv(CHUNK))

    reader = threading.Thread(target=read)

    def stalled() -> None:
        if reader.ident is None:
            reader.start()

    near.send(data, TIMEOUT, patience=0.001, stalled=stalled)
    reader.join(TIMEOUT)
    assert received == data


def test_client_that_never_reads(near: ClientSocket) -> None:
    """A piece that is not taken in time is an error, and the client's doing."""
    with pytest.raises(TimeoutError) as raised:
        near.send(bytes(64 * CHUNK), 0.01)
    assert near.broken is raised.value


def test_client_that_never_reads_with_patience(
    near: ClientSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time for a piece includes the times after which ``stalled`` is called."""
    clock = [0.0]
    monkeypatch.setattr(client_socket, "time", SimpleNamespace(monotonic=lambda: clock[-1]))
    with pytest.raises(TimeoutError):
        near.send(
            bytes(64 * CHUNK), 3.0, patience=0.001, stalled=lambda: clock.append(clock[-1] + 1)
        )
    assert len(clock) > 3


def test_client_that_has_gone(near: ClientSocket, far: socket.socket) -> None:
    """A connection that ends while it is written to is the client's doing."""
    far.close()
    with pytest.raises(ConnectionError) as raised:
        near.send(bytes(64 * CHUNK), TIMEOUT)
    assert near.broken is raised.value
