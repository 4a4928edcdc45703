"""The channel between the two processes of an isolated worker, with both ends in this process."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from wove_http_dev.errors import NotRunningError, UsageError
from wove_http_dev.isolated.channel import Channel, ChannelClosedError

TIMEOUT = 10.0
Pair = tuple[socket.socket, socket.socket]


def fail(data: Any) -> Any:
    """A handler that raises."""
    raise ValueError(f"not {data}")


@contextlib.contextmanager
def channel(
    sock: socket.socket,
    requests: Mapping[str, Callable[[Any], Any]] | None = None,
    notifications: Mapping[str, Callable[[Any], Any]] | None = None,
    on_close: Callable[[], None] = lambda: None,
) -> Iterator[Channel]:
    """A channel that reads from ``sock``; closed on exit."""
    end = Channel(
        sock, requests=requests or {}, notifications=notifications or {}, on_close=on_close
    )
    try:
        yield end.start()
    finally:
        end.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def test_request(pair: Pair) -> None:
    """A request returns what the other end's handler returned."""
    with channel(pair[0]) as asking, channel(pair[1], {"double": lambda data: data * 2}):
        assert asking.request("double", 21, TIMEOUT) == 42


def test_request_that_raises(pair: Pair) -> None:
    """An exception of the handler is raised as a UsageError with its text."""
    with (
        channel(pair[0]) as asking,
        channel(pair[1], {"fail": fail}),
        pytest.raises(UsageError, match="not possible"),
    ):
        asking.request("fail", "possible", TIMEOUT)


def test_request_without_response(pair: Pair) -> None:
    """A request that is not answered within its timeout raises NotRunningError."""
    with channel(pair[0]) as asking, pytest.raises(NotRunningError, match=r"within 0\.01 s"):
        asking.request("anything", None, 0.01)


def test_late_response_is_dropped(pair: Pair) -> None:
    """A response that arrives after its timeout is not used for another request."""
    release = threading.Event()
    handlers: dict[str, Callable[[Any], Any]] = {
        "block": lambda _: release.wait(TIMEOUT),
        "double": lambda data: data * 2,
    }
    with channel(pair[0]) as asking, channel(pair[1], handlers):
        with pytest.raises(NotRunningError):
            asking.request("block", None, 0.01)
        release.set()
        assert asking.request("double", 21, TIMEOUT) == 42


def test_unknown_request(pair: Pair) -> None:
    """A request without a handler raises UsageError; the channel stays usable."""
    with channel(pair[0]) as asking, channel(pair[1], {"double": lambda data: data * 2}):
        with pytest.raises(UsageError):
            asking.request("triple", 1, TIMEOUT)
        assert asking.request("double", 1, TIMEOUT) == 2


def test_request_of_a_closed_end(pair: Pair) -> None:
    """A waiting request ends when the other end closes."""
    with channel(pair[0]) as asking:
        pair[1].close()
        with pytest.raises(NotRunningError, match="has ended"):
            asking.request("anything", None, TIMEOUT)


def test_request_from_a_handler(pair: Pair) -> None:
    """A handler may send a request, because each request is handled in a new thread."""
    with (
        channel(pair[1], {"ask back": lambda _: asked.request("number", None, TIMEOUT)}) as asked,
        channel(pair[0], {"number": lambda _: 7}) as asking,
    ):
        assert asking.request("ask back", None, TIMEOUT) == 7


def test_notifications_are_in_order(pair: Pair) -> None:
    """Notifications are handled in the order in which they were sent."""
    received: list[int] = []
    complete = threading.Event()
    handlers: dict[str, Callable[[Any], Any]] = {
        "number": received.append,
        "end": lambda _: complete.set(),
    }
    with channel(pair[0]) as sending, channel(pair[1], notifications=handlers):
        for number in range(100):
            sending.notify("number", number)
        sending.notify("end", None)
        assert complete.wait(TIMEOUT)
    assert received == list(range(100))


def test_notification_that_is_awaited(pair: Pair) -> None:
    """The response to a request by the name of a notification comes after what was sent before."""
    received: list[int] = []
    handlers = {"number": received.append}
    with channel(pair[0]) as sending, channel(pair[1], notifications=handlers):
        for number in range(100):
            sending.notify("number", number)
        sending.request("number", 100, TIMEOUT)
        assert received == list(range(101))


def test_notification_that_is_held(pair: Pair) -> None:
    """A notification that is held is sent with the next message, and handled before it."""
    received: list[int] = []
    with (
        channel(pair[0]) as sending,
        channel(pair[1], notifications={"number": received.append}),
    ):
        sending.notify("number", 1, hold=True)
        assert sending._held.count(b"\n") == 1
        sending.request("number", 2, TIMEOUT)
        assert (received, sending._held) == ([1, 2], b"")


def test_response_sends_what_is_held(pair: Pair) -> None:
    """A response is a next message too: whoever asks gets what was held before it."""
    received: list[int] = []
    with (
        channel(pair[0], {"flush": lambda _: None}) as sending,
        channel(pair[1], notifications={"number": received.append}) as asking,
    ):
        sending.notify("number", 1, hold=True)
        asking.request("flush", None, TIMEOUT)
        assert received == [1]


def test_notification_whose_handler_raises(pair: Pair) -> None:
    """An exception of a notification's handler does not keep later messages from being handled."""
    complete = threading.Event()
    handlers = {"fail": fail, "end": lambda _: complete.set()}
    with channel(pair[0]) as sending, channel(pair[1], notifications=handlers):
        sending.notify("fail", "possible")
        sending.notify("end", None)
        assert complete.wait(TIMEOUT)


@pytest.mark.parametrize("rest", [b'{"name": "x", "da', b"{}", b"\xff"])
def test_message_that_is_cut(pair: Pair, rest: bytes) -> None:
    """An end that closes in the middle of a message has closed; that message is not handled."""
    closed = threading.Event()
    with channel(pair[0], on_close=closed.set) as asking:
        pair[1].sendall(rest)
        pair[1].close()
        assert closed.wait(TIMEOUT)
        with pytest.raises(ChannelClosedError):
            asking.request("anything", None, TIMEOUT)


def test_notification_to_a_closed_end(pair: Pair) -> None:
    """A notification to a closed end is lost without an error."""
    with channel(pair[0]) as sending:
        pair[1].close()
        for _ in range(2):  # the first one may still fit into the socket's buffer
            sending.notify("anything", None)


def test_on_close(pair: Pair) -> None:
    """``on_close`` is called when the other end has closed."""
    closed = threading.Event()
    with channel(pair[0], on_close=closed.set):
        pair[1].close()
        assert closed.wait(TIMEOUT)


def test_request_while_the_other_end_takes_nothing(pair: Pair) -> None:
    """A request to an end that is stopped ends after its timeout, also while another thread sends
    that end more than it takes."""
    with channel(pair[0]) as asking:
        sending = threading.Thread(target=asking.notify, args=("large", "x" * 2**24))
        sending.start()
        while select.select([], [pair[0]], [], 0)[1]:  # until it is full
            time.sleep(0.001)
        try:
            with pytest.raises(NotRunningError, match="did not read 'stop'"):
                asking.request("stop", None, 0.05)
        finally:
            pair[1].close()  # what is being sent fails
            sending.join()
