"""``RequestIntake``: reads one request, within the limits of its connection.

If the head is enough to refuse a request, the request is not read to its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.protocol.claim import READ_BYTES
from wove_http_dev.protocol.messages import Request
from wove_http_dev.protocol.request_reader import RequestError, RequestReader
from wove_http_dev.service.limits import Limits

Receive = Callable[[float], bytes]
"""Waits for bytes, at most that many seconds, and returns them; no bytes if the client closed.
Raises ``TimeoutError``, or another ``OSError``."""
Reserve = Callable[[int], bool]
"""Reserves memory for a body of that many bytes: waits a limited time for room, and returns
whether there was any."""
_STEP = 2**20
"""Bytes that are reserved beyond those that have arrived."""


class RequestIntake:
    """Reads a request with ``reader``.

    ``judge`` gets the head, and returns the refusal if the head is enough to refuse the request. It
    is not called if the rest comes at once after the head.
    ``reserve`` is called for the memory that a body needs beyond :data:`READ_BYTES`. ``clock``
    returns seconds.
    """

    def __init__(
        self,
        reader: RequestReader,
        limits: Limits,
        *,
        receive: Receive,
        send: Callable[[bytes], None],
        judge: Callable[[Request], Verdict | None],
        reserve: Reserve,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._limits = limits
        self._receive = receive
        self._send = send
        self._judge = judge
        self._reserve = reserve
        self._reserved = READ_BYTES
        self._clock = clock
        self._begun = 0.0
        self._body_begun: float | None = None
        self._rest = min(limits.refused, limits.body)
        """Seconds for the beginning of a body whose head is refused, or not judged yet."""
        self._judged = False
        self._refusal: Verdict | None = None

    @property
    def refusal(self) -> Verdict | None:
        """The refusal of a request that was not read to its end, else ``None``."""
        return None if self._reader.complete else self._refusal

    def body_pace(self) -> float:
        """Return at how many bytes per second the body arrives, on average; 0 if it is slower than
        the least rate. Any thread may call this."""
        begun = self._body_begun
        if begun is None or self._refusal is not None:
            return 0.0
        pace = self._reader.body_size / max(self._clock() - begun, 0.001)
        return pace if pace >= self._limits.body_rate else 0.0

    def read(self, wait: float) -> bool:
        """Block until the request is complete; or, if its head is enough to refuse it, until the
        beginning of its body has arrived, which says what was refused.

        Returns false if the client closed before that. Raises ``TimeoutError`` if no byte arrives
        within ``wait`` seconds, and :class:`RequestError` if the rest takes too long, is too large,
        or is not HTTP.
        """
        reader = self._reader
        while True:
            try:
                data = self._receive(wait)
            except TimeoutError:
                if not reader.started:
                    raise
            else:
                if not data:
                    return False
                if not reader.started:
                    self._begun = self._clock()
                if reader.feed(data):
                    return True
            if reader.head_done:
                if self._refused():
                    return True
                self._make_room()
            wait = self._time_left()
            if wait <= 0:
                if self._refusal is not None:
                    return True
                raise _too_slow()

    def _refused(self) -> bool:
        """Judge the head, once. Return whether the request is refused and enough of its body has
        arrived."""
        reader = self._reader
        if self._body_begun is None:
            self._body_begun = self._clock()
            if self._rest > 0 and not reader.expects_continue:
                return False  # most often a small body comes next, which is verified with its head
        if not self._judged:
            self._judged = True
            self._refusal = self._judge(reader.head())
            if self._refusal is None and reader.expects_continue:
                self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._refusal is None:
            return False
        return reader.expects_continue or reader.body_size >= READ_BYTES

    def _make_room(self) -> None:
        if self._reader.body_size <= self._reserved:
            return
        before = self._clock()
        wanted = min(self._reader.body_size + _STEP, self._limits.max_body)
        if not self._reserve(wanted):
            raise RequestError(
                503, "too many bodies are waiting to be authenticated; try again", "too-many-bodies"
            )
        self._reserved = wanted
        assert self._body_begun is not None
        self._body_begun += self._clock() - before  # not the client's time

    def _time_left(self) -> float:
        limits, now = self._limits, self._clock()
        if self._body_begun is None:
            return self._begun + limits.head - now
        if not self._judged:
            return self._rest
        if self._refusal is not None:
            return self._body_begun + self._rest - now
        paced = limits.body_grace + self._reader.body_size / limits.body_rate
        return self._body_begun + min(limits.body, paced) - now


def _too_slow() -> RequestError:
    return RequestError(408, "the request took too long to arrive", "request-timeout")
