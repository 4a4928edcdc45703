"""The messages between a service and its processes of tasks."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator

import pytest

from tests.run_records import FAILED
from wove_http_dev.runners.process_messages import (
    HEADER_LIMIT,
    Message,
    MessageSocket,
    outcome_from_message,
    outcome_message,
)
from wove_http_dev.runs.outcome import Outcome

Ends = tuple[MessageSocket, MessageSocket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both ends of a connection, and the socket of the first."""
    first, second = socket.socketpair()
    ends = MessageSocket(first), MessageSocket(second)
    yield (*ends, first)
    for each in ends:
        each.close()


@pytest.mark.parametrize(
    "message",
    [
        Message("ready"),
        Message("body", {"path": ["a", "\ud800"], "texts": True}, (b"x" * 1000, b"", None)),
    ],
)
def test_message(ends: Ends, message: Message) -> None:
    """A message arrives as it was sent."""
    ends[0].send(message)
    assert ends[1].read() == message


@pytest.mark.parametrize(
    "outcome", [Outcome("result", b"r", result_text="text"), FAILED, Outcome("cancelled")]
)
def test_outcome(outcome: Outcome) -> None:
    """An outcome is what it was."""
    assert outcome_from_message(outcome_message(outcome)) == outcome


def test_order(ends: Ends) -> None:
    """Messages arrive in their order."""
    for number in range(3):
        ends[0].send(Message("written", {"number": number}, (b"a",)))
    assert [message.values["number"] for _ in range(3) if (message := ends[1].read())] == [0, 1, 2]


@pytest.mark.parametrize(
    "data", [b"", b"\0", struct.pack("!I", 10) + b"[", struct.pack("!I", 9) + b'["a",{},9'[:9]]
)
def test_end_within_a_message(ends: Ends, data: bytes) -> None:
    """A connection that ends within a message has no further one."""
    if data.endswith(b"9"):
        data = struct.pack("!I", len(text := json.dumps(["a", {}, [9]]).encode())) + text + b"bc"
    ends[2].sendall(data)
    ends[0].shutdown()
    assert ends[1].read() is None


def header(text: bytes) -> bytes:
    return struct.pack("!I", len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        header(b"x"),
        struct.pack("!I", HEADER_LIMIT + 1),
        header(b"[" * 5000),
        header(b'["a", {}, [%d]]' % 10**18),
        header(b'["a", {}, [%d]]' % 10**30),
    ],
    ids=["json", "long", "deep", "more than fits into memory", "more than there is"],
)
def test_no_message(ends: Ends, data: bytes) -> None:
    """What is no message is an error."""
    ends[2].sendall(data)
    with pytest.raises(ValueError, match=r"Expecting value|a header of|size or depth"):
        ends[1].read()


def test_within_another_message(ends: Ends) -> None:
    """A message that is sent while the thread sends another one comes after it."""
    sender = ends[0]

    class Socket:
        sent = 0

        def sendall(self, data: bytes) -> None:
            self.sent += 1
            if self.sent == 1:  # as a __del__ that prints
                sender.send(Message("second"))
            ends[2].sendall(data)

    real, sender._sock = sender._sock, Socket()  # type: ignore[assignment]
    sender.send(Message("first", {}, (b"blob",)))
    sender._sock = real
    assert [message.kind for _ in range(2) if (message := ends[1].read())] == ["first", "second"]


def test_first_message(ends: Ends) -> None:
    """The wait for the first message ends when it arrives."""
    ends[0].send(Message("ready"))
    assert ends[1].wait_for_first(60)


def test_no_first_message(ends: Ends) -> None:
    """The wait ends after its time when nothing arrives."""
    assert not ends[1].wait_for_first(0.01)


def test_end_before_the_first_message(ends: Ends) -> None:
    """The wait ends when the other end has closed."""
    ends[0].shutdown()
    assert ends[1].wait_for_first(60)


def test_other_end_has_closed(ends: Ends) -> None:
    """Sending to an end that has closed is the system's error."""
    ends[1].shutdown()
    with pytest.raises(OSError, match="pipe"):
        ends[0].send(Message("ready"))
