"""One HTTP exchange with a service, including broken answers."""

from __future__ import annotations

import itertools
import select
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.conformance.worker import hostile
from tests.conformance.worker.hostile import HostileService
from tests.support import TIMEOUT
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.wire import (
    AnswerTimeout,
    CaseTimeUp,
    Connection,
    ConnectionClosed,
    Deadline,
    HttpResponse,
    NoAnswer,
    shown,
)


def answered(script: hostile.Script) -> HttpResponse:
    """Return the answer of a service that runs ``script``."""
    with HostileService(script) as service:
        client = ServiceUnderTest(service.url)
        return client.exchange(client.request(b"{}", {}), Deadline(5.0))


def test_a_reset_that_the_sender_learns_of_is_a_reset() -> None:
    """A reset that send() got is reported by answer(): the kernel reports a reset once, and a later
    read sees only an end of file."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        hostile.resets_at_once(server.accept()[0])
    poll = select.poll()
    poll.register(client, 0)  # a reset is always reported, and polling does not consume it
    assert poll.poll(10_000)
    connection = Connection(lambda _: client, Deadline(10))
    connection.send(b"x", Deadline(10))
    with pytest.raises(NoAnswer, match="the connection was reset"):
        connection.answer(Deadline(10))
    connection.close()


def test_a_wait_that_its_case_cuts_short_says_so() -> None:
    """The message has the seconds that were really waited."""
    case = Deadline(0.2)
    cut = Deadline(5.0, within=case)
    assert "within 0.2 s, the rest of the 0.2 s that this case may take" in str(cut.passed())
    assert str(Deadline(0.1, within=case).passed()) == "no complete answer within 0.1 s"


def test_a_wait_shorter_than_any_answer_may_take_judges_nothing() -> None:
    """An answer is judged only if it had the time that each answer may take."""
    case = Deadline(3.0)
    timeouts = [Deadline(seconds, within=case, least=5.0).passed() for seconds in (5.0, 9.0)]
    assert [type(each) for each in timeouts] == [CaseTimeUp, CaseTimeUp]


@pytest.mark.parametrize(("seconds", "least"), [(9.0, 2.0), (1.0, 5.0), (5.0, 0.0)])
def test_a_wait_that_was_long_enough_judges(seconds: float, least: float) -> None:
    """An answer that had its whole time, or more than each may take, is judged as late."""
    cut = Deadline(seconds, within=Deadline(3.0), least=least)
    assert type(cut.passed()) is AnswerTimeout


def test_a_wait_for_which_nothing_is_left_says_so() -> None:
    """If the case has used up its time before, no wait of 0.0 s is mentioned."""
    cut = Deadline(5.0, within=Deadline(0.0))
    assert str(cut.passed()) == "no complete answer in the 0 s that this case may take"


def test_an_answer_is_read_whole() -> None:
    """Status, headers and body of an answer are read."""
    answer = answered(hostile.answers(b"[1]", head="X-A: b\r\n"))
    assert (answer.status, answer.header("x-a"), answer.document()) == (200, "b", [1])


def test_only_2xx_is_ok() -> None:
    """Only a 2xx status is ok, like in Wove's executor."""
    statuses = (199, 200, 299, 300)
    assert [HttpResponse(status, (), b"").ok for status in statuses] == [False, True, True, False]


def test_bytes_behind_an_answer_are_kept() -> None:
    """Bytes after an answer whose Content-Length is too small are kept in ``surplus``."""
    answer = answered(hostile.answers(b"{}surplus", head="Content-Length: 2\r\n"))
    assert (answer.body, answer.surplus[:7]) == (b"{}", b"surplus")


def test_a_connection_closed_without_an_answer() -> None:
    """A connection that is closed without an answer raises ``ConnectionClosed``."""

    def script(sock: socket.socket, over: threading.Event) -> None:
        hostile.read_request(sock)

    with pytest.raises(ConnectionClosed, match="closed without an answer"):
        answered(script)


def test_a_deadline_that_has_passed_raises() -> None:
    """A deadline that has passed raises ``NoAnswer`` with the seconds that it allowed."""
    with pytest.raises(NoAnswer, match=r"within 0 s"):
        Deadline(0.0).left()


def test_a_long_body_is_shown_in_short() -> None:
    """The beginning of a long body is shown as a bytes literal."""
    assert shown(b"\x1b" * 1000, 3) == "b'\\x1b\\x1b\\x1b'…"


def test_an_answer_that_came_with_the_one_before_is_read() -> None:
    """Two requests in one piece may get two answers in one piece; both are read whole."""
    answers = b"".join(
        b"HTTP/1.1 %d OK\r\nContent-Length: 1\r\n\r\n%d" % (200 + number, number)
        for number in (1, 2)
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        with server.accept()[0] as peer:
            peer.sendall(answers)
            connection = Connection(lambda _: client, Deadline(10))
            first = connection.answer(Deadline(10), more=True)
            second = connection.answer(Deadline(10))
            connection.close()
    assert [(each.status, each.body, each.surplus) for each in (first, second)] == [
        (201, b"1", b""),
        (202, b"2", b""),
    ]


def test_the_first_bytes_of_an_answer_are_read_again() -> None:
    """What ``begun`` has read belongs to the answer: a 100 that comes in two pieces is passed over
    like one that comes whole."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        with server.accept()[0] as peer:
            connection = Connection(lambda _: client, Deadline(10))
            peer.sendall(b"HTTP/1.1 100 Continue\r\n")
            begun = connection.begun(Deadline(10))
            peer.sendall(b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            answer = connection.answer(Deadline(10))
            connection.close()
    assert (begun.split(None, 2)[1], answer.status) == (b"100", 200)


@pytest.mark.parametrize(("version", "old"), [(b"HTTP/1.0", True), (b"HTTP/1.1", False)])
def test_an_answer_says_whether_the_service_is_old(version: bytes, old: bool) -> None:
    """A service that speaks HTTP/1.0 is not asked for what came later."""

    def script(sock: socket.socket, over: threading.Event) -> None:
        hostile.read_request(sock)
        sock.sendall(version + b" 200 OK\r\nContent-Length: 0\r\n\r\n")

    assert answered(script).old is old


def test_no_further_pieces_are_sent_once_an_answer_has_begun() -> None:
    """A service that answers before it has all pieces gets no further ones; the answer is read
    whole, and what was sent is observed as one."""
    observed: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        with server.accept()[0] as peer:

            def pieces() -> Iterator[bytes]:
                yield b"first"
                peer.sendall(b"HTTP/1.1 431 No\r\nContent-Length: 2\r\n\r\n{}")
                assert select.select([client], [], [], TIMEOUT)[0]
                yield b"second"
                yield b"third"

            connection = Connection(
                lambda _: client, Deadline(10), lambda connection, data: observed.append(data)
            )
            connection.send_until_answered(pieces(), Deadline(10))
            answer = connection.answer(Deadline(10))
            connection.close()
    assert (answer.status, answer.body, observed) == (431, b"{}", [b"firstsecond"])


def test_no_further_pieces_are_sent_on_a_connection_that_was_reset() -> None:
    """A service that resets the connection gets no further pieces, and the reset is reported."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        hostile.resets_at_once(server.accept()[0])
    assert select.select([client], [], [], TIMEOUT)[0]
    connection = Connection(lambda _: client, Deadline(10))
    connection.send_until_answered(itertools.repeat(b"x"), Deadline(10))
    with pytest.raises(NoAnswer, match="the connection was reset"):
        connection.answer(Deadline(10))
    connection.close()
