"""Connections of task bodies to the checker."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.macos import emulate
from tests.support import TIMEOUT
from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import tasks
from wove_http_dev.conformance.worker.callbacks import Callback, Listener


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A listener on this machine."""
    listener = Listener("127.0.0.1")
    yield listener
    listener.close()


@pytest.mark.parametrize("rules", ["linux", "macos"])
def test_close_ends_the_thread(monkeypatch: pytest.MonkeyPatch, rules: str) -> None:
    """``close`` ends the listener's thread, on each platform."""
    if rules == "macos":
        emulate(monkeypatch)
    listener = Listener("127.0.0.1")
    listener.close()
    assert not listener._thread.is_alive()


def body(callback: Callback) -> threading.Thread:
    """Start a task body that runs until it is released."""
    thread = threading.Thread(target=tasks.hold, kwargs=callback.address, daemon=True)
    thread.start()
    return thread


def test_a_body_that_has_not_connected_is_not_there(listener: Listener) -> None:
    """A body that has not connected is neither counted nor alive."""
    callback = listener.expect()
    assert (callback.arrived(0.0), callback.alive(), callback.count) == (False, False, 0)


def test_a_body_that_connects_is_seen(listener: Listener) -> None:
    """A body that connects is recognised by its token."""
    callback = listener.expect()
    body(callback)
    assert callback.arrived(TIMEOUT)


def test_what_connected_before_is_counted(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was made before is counted, however late the listener's threads run."""
    callback, other_was_read, read = listener.expect(), threading.Event(), Listener._read_token
    late = iter([True])

    def read_token(self: Listener, sock: socket.socket) -> None:
        if next(late, False):
            other_was_read.wait(TIMEOUT)
            time.sleep(0.05)  # so that a listener that does not wait counts too few
            read(self, sock)
        else:
            read(self, sock)
            other_was_read.set()

    monkeypatch.setattr(Listener, "_read_token", read_token)
    tasks.report_back(**callback.address)
    assert callback.counted() == 1


def test_a_running_body_answers_pings(listener: Listener) -> None:
    """A running body is alive, because it answers pings."""
    callback = listener.expect()
    body(callback)
    callback.arrived(TIMEOUT)
    assert callback.alive()


def test_a_body_that_does_not_answer(listener: Listener) -> None:
    """A body that is connected and does not answer is neither alive nor has it ended: the case is
    late."""
    callback = listener.expect()
    callback.pong_timeout = 0.01
    with socket.create_connection((callback.host, callback.port), TIMEOUT) as silent:
        silent.sendall(callback.token.encode())
        callback.arrived(TIMEOUT)
        with pytest.raises(CaseFailed) as failed:
            callback.alive()
    assert failed.value.late


def test_a_released_body_ends(listener: Listener) -> None:
    """A body ends when it is released."""
    callback = listener.expect()
    thread = body(callback)
    callback.arrived(TIMEOUT)
    callback.release()
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_the_end_of_a_body_is_seen(listener: Listener) -> None:
    """A body that closes its connection has ended."""
    callback = listener.expect()
    tasks.report_back(**callback.address)
    callback.arrived(TIMEOUT)
    assert callback.ended(TIMEOUT)


def test_a_body_that_goes_on_has_not_ended(listener: Listener) -> None:
    """``ended`` returns ``False`` after the timeout if the body still runs."""
    callback = listener.expect()
    body(callback)
    callback.arrived(TIMEOUT)
    assert not callback.ended(0.05)


def test_a_body_that_comes_after_the_release_ends_at_once(listener: Listener) -> None:
    """A body that connects after the release ends at once."""
    callback = listener.expect()
    callback.release()
    thread = body(callback)
    thread.join(TIMEOUT)
    assert not thread.is_alive()


def test_bodies_are_counted(listener: Listener) -> None:
    """A task that runs twice is counted twice."""
    callback = listener.expect()
    for _ in range(2):
        tasks.report_back(**callback.address)
    assert callback.arrived(TIMEOUT, times=2)


def test_an_unknown_token_is_disconnected(listener: Listener) -> None:
    """A client with an unknown token is disconnected."""
    with socket.create_connection((listener.host, listener.port), TIMEOUT) as sock:
        sock.sendall(b"0" * 32)
        assert sock.recv(1) == b""


def test_a_dropped_callback_is_not_known_any_more(listener: Listener) -> None:
    """A body whose callback was dropped is disconnected."""
    callback = listener.expect()
    listener.drop(callback)
    body(callback).join(TIMEOUT)
    assert callback.count == 0
