"""``read_answer``: reads one HTTP answer from a connection to upstream, with limits of time and
size."""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from typing import Any

from wove_http_dev.runners.upstream_failures import UpstreamError

READ_TIME = 60.0
"""Seconds for a whole answer, from its first byte."""
_PIECE = 2**20  # bytes

Clock = Callable[[], float]
"""Returns seconds."""


class HttpAnswer:
    """An HTTP answer with its whole body."""

    def __init__(self, response: http.client.HTTPResponse, body: bytes) -> None:
        self.status = response.status
        self.reason = response.reason or ""
        self.headers: list[tuple[str, str]] = response.getheaders()
        self.body = body


def read_answer(
    sock: socket.socket, wait: float, *, limit: int, clock: Clock
) -> tuple[HttpAnswer, bool]:
    """Block until the whole answer to a POST has arrived, and return it, and whether the connection
    can be used for another request.

    Its first byte must come within ``wait`` seconds, and its body have at most ``limit`` bytes.
    Raises :class:`UpstreamError` for a larger one, ``OSError`` (``TimeoutError``), and
    ``http.client.HTTPException``.
    """
    reader = _TimedReader(sock, wait, clock)
    response = _final(reader)
    try:
        body = _body(response, limit)
        # Bytes that no request has asked for would be taken for the next answer.
        return HttpAnswer(response, body), not response.will_close and reader.used_up()
    finally:
        response.close()


def _final(reader: _TimedReader) -> http.client.HTTPResponse:
    """Return the response after the interim ones, which any request can get (RFC 9110, 15.2);
    ``http.client`` itself skips 100 only. Its head was read."""
    while True:
        response = http.client.HTTPResponse(reader, method="POST")  # type: ignore[arg-type]
        try:
            response.begin()
            if response.status == 101 or not 100 <= response.status <= 599:
                raise http.client.BadStatusLine(f"status {response.status}")
        except BaseException:
            response.close()  # from Python 3.13 on, its finalizer uses the file, closed by then
            raise
        if response.status >= 200:
            return response
        response.close()


def _body(response: http.client.HTTPResponse, limit: int) -> bytes:
    pieces, size = [], 0
    while piece := response.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise UpstreamError(
                f"upstream's answer is larger than {limit} bytes", "upstream-too-large"
            )
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(pieces)


class _TimedReader(io.RawIOBase):
    """Reads from a socket: the first byte must come within ``wait`` seconds, the others within
    :data:`READ_TIME` after it."""

    def __init__(self, sock: socket.socket, wait: float, clock: Clock) -> None:
        self._sock = sock
        self._clock = clock
        self._end = clock() + wait
        self._started = False
        self._over = False
        self._buffer = _Buffer(self)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a file to read from, as ``HTTPResponse`` asks a socket for it."""
        return self._buffer

    def used_up(self) -> bool:
        """Whether no byte has been received that was not read. Nothing is received after this."""
        self._over = True
        return not self._buffer.peek(1)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._over:
            return 0
        left = self._end - self._clock()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        count = self._sock.recv_into(buffer)
        if not self._started:
            self._started, self._end = True, self._clock() + READ_TIME
        return count


class _Buffer(io.BufferedReader):
    """Stays open when ``HTTPResponse`` has read the whole answer and closes it."""

    def close(self) -> None:
        pass
