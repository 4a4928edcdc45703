"""Reading a request: its limits in time, and the end of one that its head refuses.

The clock is the test's: a script says what arrives and how many seconds later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

import pytest

from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.claim import READ_BYTES
from wove_http_dev.protocol.messages import Request
from wove_http_dev.protocol.request_reader import RequestError, RequestReader
from wove_http_dev.service.intake import RequestIntake
from wove_http_dev.service.limits import Limits

MEGABYTE = 2**20
LIMITS = Limits(
    head=10.0, body=60.0, body_grace=10.0, body_rate=100.0, refused=1.0, max_body=8 * MEGABYTE
)
WAIT = 5.0
REFUSAL = Verdict(accepted=False, reason="refused")
EXPECT = "Expect: 100-continue"


def head(size: int, *lines: str) -> bytes:
    """The head of a POST whose body has ``size`` bytes."""
    fixed = ["POST / HTTP/1.1", "Host: h", f"Content-Length: {size}"]
    return "\r\n".join([*fixed, *lines, "", ""]).encode()


class Arrival:
    """Gives what a client sends, ``(seconds, bytes)`` at a time, and the clock for it. A client
    whose script is at its end sends nothing more."""

    def __init__(self, *script: tuple[float, bytes], refusal: Verdict | None = None) -> None:
        self.now = 0.0
        self.sent: list[bytes] = []
        self.reader = RequestReader(max_head=65536, max_body=LIMITS.max_body)
        self._script: Iterator[tuple[float, bytes]] = iter(script)
        self._refusal = refusal
        self.judged = 0
        self.room = True
        self.wait_for_room = 0.0
        self.reserved: list[int] = []
        self.intake = RequestIntake(
            self.reader,
            LIMITS,
            receive=self._receive,
            send=self.sent.append,
            judge=self._judge,
            reserve=self._reserve,
            clock=lambda: self.now,
        )

    def _judge(self, request: Request) -> Verdict | None:
        self.judged += 1
        return self._refusal

    def _reserve(self, size: int) -> bool:
        self.now += self.wait_for_room
        self.reserved.append(size)
        return self.room

    def _receive(self, wait: float) -> bytes:
        seconds, data = next(self._script, (math.inf, b""))
        self.now += min(seconds, wait)
        if seconds > wait:  # it still comes
            self._script = chain([(seconds - wait, data)], self._script)
            raise TimeoutError
        return data

    def read(self) -> bool:
        """Read the request, as a connection does."""
        return self.intake.read(WAIT)


def status(arrival: Arrival) -> int:
    """The status of the error with which ``arrival`` is refused."""
    with pytest.raises(RequestError) as caught:
        arrival.read()
    return caught.value.status


def drops(rate: float, seconds: int) -> list[tuple[float, bytes]]:
    """A body that comes at ``rate`` bytes per second, in ten pieces per second."""
    return [(0.1, b"x" * round(rate / 10))] * (10 * seconds)


class TestTime:
    """How long a request may take."""

    def test_whole_request(self) -> None:
        """A request that arrives at once is read."""
        assert Arrival((0, head(3) + b"abc")).read()

    def test_client_that_closes(self) -> None:
        """A client that closes before its request is whole sends none."""
        assert not Arrival((0, head(3)), (0, b"")).read()

    def test_silence(self) -> None:
        """A connection on which nothing arrives is not a request that was too slow."""
        with pytest.raises(TimeoutError):
            Arrival().read()

    @pytest.mark.parametrize("wait", [9.0, 0.5])
    def test_slow_head(self, wait: float) -> None:
        """A head has 10 seconds from its first byte, however steadily its bytes come."""
        arrival = Arrival((0, b"POST / HTTP/1.1\r\nX: "), *[(wait, b"x")] * 100)
        assert (status(arrival), arrival.now) == (408, 10.0)

    def test_silence_in_a_head(self) -> None:
        """A head that stops is refused when its time is over."""
        arrival = Arrival((4, b"P"))
        assert (status(arrival), arrival.now) == (408, 14.0)

    def test_body_below_the_rate(self) -> None:
        """A body slower than the rate is refused after the grace and what its bytes give it."""
        arrival = Arrival((0, head(10**6)), *drops(rate=50, seconds=100))
        assert (status(arrival), round(arrival.now)) == (408, 20)

    def test_body_that_stops(self) -> None:
        """A body of which no byte comes is refused after the grace."""
        arrival = Arrival((0, head(10**6)))
        assert (status(arrival), arrival.now) == (408, 10.0)

    def test_body_above_the_rate(self) -> None:
        """A body faster than the rate is read, although it takes longer than the grace."""
        assert Arrival((0, head(4000)), *drops(rate=110, seconds=50)).read()

    def test_slow_body_within_the_grace(self) -> None:
        """A small body is not judged by its rate."""
        assert Arrival((0, head(3)), (3, b"a"), (3, b"b"), (3, b"c")).read()

    def test_body_has_an_end(self) -> None:
        """A body has 60 seconds, however fast it comes."""
        arrival = Arrival((0, head(10**6)), *drops(rate=1000, seconds=100))
        assert (status(arrival), round(arrival.now)) == (408, 60)


class TestRefusedHead:
    """A request whose head is enough to refuse it."""

    def test_judged_once(self) -> None:
        """The head is judged once."""
        arrival = Arrival((0, head(3)), (0, b"a"), (0, b"b"), (0, b"c"))
        arrival.read()
        assert arrival.judged == 1

    def test_whole_request_is_not_judged(self) -> None:
        """A request that arrives with its head is not judged here."""
        arrival = Arrival((0, head(3) + b"abc"), refusal=REFUSAL)
        assert (arrival.read(), arrival.judged, arrival.intake.refusal) == (True, 0, None)

    def test_body_that_comes_next_is_not_judged(self) -> None:
        """A head is not judged if the rest of the request comes next, as most clients send it."""
        arrival = Arrival((0, head(3)), (0, b"abc"), refusal=REFUSAL)
        assert (arrival.read(), arrival.judged, arrival.intake.refusal) == (True, 0, None)

    def test_small_body(self) -> None:
        """A small body is read to its end."""
        arrival = Arrival((0, head(3)), (0, b"ab"), (0, b"c"), refusal=REFUSAL)
        assert (arrival.read(), arrival.intake.refusal) == (True, None)

    def test_large_body(self) -> None:
        """A large body is read until enough is known of it."""
        pieces = [(0.0, b"x" * 1000)] * 1000
        arrival = Arrival((0, head(10**6)), *pieces, refusal=REFUSAL)
        assert (arrival.read(), arrival.intake.refusal) == (True, REFUSAL)
        assert READ_BYTES <= arrival.reader.body_size < READ_BYTES + 1000

    def test_slow_body(self) -> None:
        """A body that is slow is waited for one second."""
        arrival = Arrival((0, head(10**6)), *drops(rate=10, seconds=100), refusal=REFUSAL)
        assert (arrival.read(), arrival.intake.refusal, round(arrival.now)) == (True, REFUSAL, 1)

    def test_body_that_does_not_come(self) -> None:
        """A body that does not come is waited for one second."""
        arrival = Arrival((0, head(10**6)), refusal=REFUSAL)
        assert (arrival.read(), arrival.intake.refusal, arrival.now) == (True, REFUSAL, 1.0)

    def test_client_that_closes(self) -> None:
        """A client that closes in its body sends no request."""
        assert not Arrival((0, head(9)), (0, b""), refusal=REFUSAL).read()


class TestExpectContinue:
    """A client that waits for 100 Continue."""

    def test_continue(self) -> None:
        """It is told to go on, once."""
        arrival = Arrival((0, head(3, EXPECT)), (0, b"ab"), (0, b"c"))
        arrival.read()
        assert arrival.sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]

    def test_refused(self) -> None:
        """It is not told to go on if its head is refused, and not waited for."""
        arrival = Arrival((0, head(3, EXPECT)), refusal=REFUSAL)
        assert (arrival.read(), arrival.sent, arrival.now) == (True, [], 0.0)


class TestMemory:
    """Memory that a body needs before its request is authenticated."""

    def test_small_body(self) -> None:
        """For a small body no memory is reserved."""
        arrival = Arrival((0, head(READ_BYTES)), (0, b"x" * READ_BYTES))
        assert (arrival.read(), arrival.reserved) == (True, [])

    def test_large_body(self) -> None:
        """Memory is reserved in steps as a body arrives, not as it is announced."""
        arrival = Arrival((0, head(4 * MEGABYTE)), *[(0.0, b"x" * 65536)] * 64)
        arrival.read()
        assert (len(arrival.reserved), arrival.reserved[0]) == (4, MEGABYTE + 2 * 65536)

    def test_no_more_than_the_largest(self) -> None:
        """No more is reserved than the largest body may have."""
        arrival = Arrival((0, head(8 * MEGABYTE)), *[(0.0, b"x" * 65536)] * 128)
        arrival.read()
        assert arrival.reserved[-1] == LIMITS.max_body

    def test_no_room(self) -> None:
        """A body for which there is no room is answered with a 503."""
        arrival = Arrival((0, head(MEGABYTE)), (0, b"x" * 70_000))
        arrival.room = False
        assert status(arrival) == 503

    def test_waiting_for_room(self) -> None:
        """The time for which there was no room is not the client's."""
        arrival = Arrival((0, head(70_001)), (0, b"x" * 70_000), (9, b"x"))
        arrival.wait_for_room = 100.0
        assert arrival.read()
