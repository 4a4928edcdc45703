"""One answer of upstream is read, within limits of time and size."""

from __future__ import annotations

import http.client
import itertools
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support import TIMEOUT
from wove_http_dev.runners.upstream_answer import READ_TIME, HttpAnswer, read_answer
from wove_http_dev.runners.upstream_failures import UpstreamError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets: this side's, and upstream's."""
    mine, theirs = socket.socketpair()
    with mine, theirs:
        yield mine, theirs


def read(pair: Pair, answer: bytes, *, limit: int = 1000) -> tuple[HttpAnswer, bool]:
    """What is read of ``answer``, after which upstream closes its side."""
    mine, theirs = pair
    theirs.sendall(answer)
    theirs.shutdown(socket.SHUT_WR)
    return read_answer(mine, TIMEOUT, limit=limit, clock=time.monotonic)


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (OK, True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            True,
        ),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + OK, True),
        (OK + OK, False),
    ],
    ids=[
        "length",
        "chunked",
        "until-closed",
        "http-1.0",
        "continue",
        "early-hints",
        "bytes-after-it",
    ],
)
def test_form_of_an_answer(pair: Pair, answer: bytes, kept: bool) -> None:
    """A body is read to its end, however its length is given; the connection is not used again if
    upstream closes it, or has sent more than one answer."""
    got, keep = read(pair, answer)
    assert (got.status, got.body, keep) == (200, b"{}", kept)


def test_without_a_body(pair: Pair) -> None:
    """An answer 204 has no body, whatever follows."""
    assert read(pair, b"HTTP/1.1 204 No Content\r\n\r\n")[0].body == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
        CHUNKED + b"9\r\n{}",
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + OK,
        b"HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"A: a\r\n" * 200 + b"\r\n",
    ],
    ids=["nothing", "short", "short-chunk", "other-protocol", "upgrade", "status", "headers"],
)
def test_no_answer(pair: Pair, answer: bytes) -> None:
    """What is no whole answer is an error."""
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        read(pair, answer)


@pytest.mark.parametrize(
    "head", ["Content-Length: 1001\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", "\r\n"]
)
def test_too_large(pair: Pair, head: str) -> None:
    """An answer of more than the limit is an error, however its length is given."""
    with pytest.raises(UpstreamError, match="larger than 1000 bytes") as caught:
        read(pair, b"HTTP/1.1 200 OK\r\n" + head.encode() + b"a" * 1001 + b"\r\n0\r\n\r\n")
    assert caught.value.code == "upstream-too-large"


def test_as_large_as_the_limit(pair: Pair) -> None:
    """An answer of as many bytes as the limit is read."""
    assert read(pair, OK, limit=2)[0].body == b"{}"


def test_no_answer_in_time(pair: Pair) -> None:
    """An answer that does not begin in time is not waited for."""
    with pytest.raises(TimeoutError):
        read_answer(pair[0], 0.01, limit=1000, clock=time.monotonic)


def test_answer_that_takes_too_long(pair: Pair) -> None:
    """The whole answer must arrive in time, also if there is always a further byte."""
    times = itertools.count(0.0, READ_TIME)
    pair[1].sendall(b"HTTP/1.1 200 OK\r\nA: a")
    with pytest.raises(TimeoutError):
        read_answer(pair[0], 10 * READ_TIME, limit=1000, clock=lambda: next(times))
