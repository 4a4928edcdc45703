"""Waiting for connections on the listening sockets of a port, and the end of it."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.macos import emulate
from tests.support import TIMEOUT
from wove_http_dev.service.listener import Listener


def listening(address: str = "127.0.0.1") -> socket.socket:
    """A listening socket at a free port."""
    sock = socket.socket()
    sock.bind((address, 0))
    sock.listen()
    return sock


@pytest.fixture(params=["linux", "macos"])
def listener(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """A listener with two sockets, under each platform's rules."""
    if request.param == "macos":
        emulate(monkeypatch)
    with Listener([listening(), listening()]) as listener:
        yield listener


def connect(listener: Listener, which: int) -> socket.socket:
    """A connection to one of the listener's sockets."""
    return socket.create_connection(listener.sockets[which].getsockname(), TIMEOUT)


def accepted(listener: Listener) -> socket.socket:
    """The next connection."""
    sock = listener.accept()
    assert sock is not None
    return sock


@pytest.mark.parametrize("which", [0, 1])
def test_each_socket(listener: Listener, which: int) -> None:
    """A connection to each of the sockets is accepted."""
    with connect(listener, which) as client, accepted(listener) as sock:
        assert sock.getpeername() == client.getsockname()


def test_no_socket_starves(listener: Listener) -> None:
    """A connection to one socket is accepted also while others wait at the other socket."""
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(connect(listener, 1))
        first = stack.enter_context(connect(listener, 0)).getsockname()
        origins = [stack.enter_context(accepted(listener)).getpeername() for _ in range(2)]
        assert first in origins


def test_accepted_socket_blocks(listener: Listener) -> None:
    """An accepted socket blocks, though macOS lets it inherit that the listening one does not."""
    with connect(listener, 0), accepted(listener) as sock:
        assert os.get_blocking(sock.fileno())


def test_accepted_socket_does_not_wait(listener: Listener) -> None:
    """A small packet of an accepted socket does not wait for an acknowledgement."""
    with connect(listener, 1), accepted(listener) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def waiting(listener: Listener, pool: ThreadPoolExecutor) -> list[Future[socket.socket | None]]:
    """Three threads that wait for a connection, the first of which got one before."""
    with connect(listener, 0), accepted(listener):
        return [pool.submit(listener.accept) for _ in range(3)]


def test_close_wakes_every_thread(listener: Listener, pool: ThreadPoolExecutor) -> None:
    """``close`` ends the wait of every thread."""
    threads = waiting(listener, pool)
    listener.close()
    assert [each.result(TIMEOUT) for each in threads] == [None, None, None]


def test_accept_after_close(listener: Listener) -> None:
    """``accept`` of a closed listener returns at once."""
    listener.close()
    assert listener.accept() is None


def test_close_twice(listener: Listener) -> None:
    """A second ``close`` does nothing."""
    listener.close()
    listener.close()


def test_close_closes_every_socket(listener: Listener) -> None:
    """``close`` closes the listening sockets."""
    listener.close()
    assert [sock.fileno() for sock in listener.sockets] == [-1, -1]


def test_client_that_has_gone(listener: Listener, pool: ThreadPoolExecutor) -> None:
    """A connection that is gone when it is to be accepted does not block ``close``."""
    listener._ready = [listener.sockets[0].fileno()]  # as poll() said before the client went
    thread = pool.submit(listener.accept)
    listener.close()
    assert thread.result(TIMEOUT) is None


@pytest.mark.parametrize("part", ["sockets", "waking"])
def test_closed_by_other_code(listener: Listener, part: str) -> None:
    """If other code closes one of its sockets, ``accept`` raises, and does not wait for ever."""
    (listener.sockets[0] if part == "sockets" else listener._reader).close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        listener.accept()


def test_connections(listener: Listener, pool: ThreadPoolExecutor) -> None:
    """``connections`` yields each connection, and ends when the listener is closed."""
    got = listener.connections()
    with connect(listener, 0) as client, next(got) as sock:
        assert sock.getpeername() == client.getsockname()
    rest = pool.submit(list, got)
    listener.close()
    assert rest.result(TIMEOUT) == []


def test_connections_without_a_descriptor(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no descriptor is free, ``connections`` goes on to try."""
    accept, errors = listener.accept, [OSError(errno.EMFILE, "none is free")] * 2

    def fail_twice() -> socket.socket | None:
        if errors:
            raise errors.pop()
        return accept()

    monkeypatch.setattr(listener, "accept", fail_twice)
    with connect(listener, 0) as client, next(listener.connections()) as sock:
        assert sock.getpeername() == client.getsockname()
