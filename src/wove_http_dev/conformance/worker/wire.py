"""Sends bytes to a service and reads one HTTP answer, however broken that is.

One deadline applies to a request and its answer together, so that a service that sends slowly
cannot prolong them; and every read has a size limit. Redirects are not followed and proxies are not
used.
"""

from __future__ import annotations

import functools
import http.client
import io
import json
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

MAX_ANSWER = 32 * 2**20
"""The most bytes that an answer may have, including its head."""
CHUNK = 65536

T = TypeVar("T")


class NoAnswer(Exception):
    """No complete HTTP answer arrived; the message says what happened instead. ``late`` is true if
    the reason is that a time limit passed."""

    late = False


class ConnectionClosed(NoAnswer):
    """The connection was closed before an answer began."""


class AnswerTimeout(NoAnswer):
    """No complete answer came in time."""

    late = True


class CaseTimeUp(AnswerTimeout):
    """No complete answer came in what was left of the case's time, which was less than one answer
    may take: so nothing is known about the answer."""

    cut_off = True


class Deadline:
    """The time limit for a request and its answer: ``seconds`` from now, or the end of the deadline
    ``within`` if that is earlier. ``least`` is how many seconds any answer may take: what passes
    earlier, because of ``within``, is a :class:`CaseTimeUp`."""

    def __init__(
        self, seconds: float, *, within: Deadline | None = None, least: float = 0.0
    ) -> None:
        now = time.monotonic()
        self.seconds = seconds
        self.ends = now + seconds
        self._limit = f"within {seconds:g} s"
        self._timeout = AnswerTimeout
        if within is not None and within.ends < self.ends:
            self.ends = within.ends
            left = max(0.0, within.ends - now)
            if left < min(seconds, least):
                self._timeout = CaseTimeUp
            case = f"the {within.seconds:g} s that this case may take"
            self._limit = (
                f"within {left:.1f} s, the rest of {case}" if left >= 0.05 else f"in {case}"
            )

    def left(self) -> float:
        """Return how many seconds are left. Raises :class:`AnswerTimeout` if none are."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> AnswerTimeout:
        """Return the exception that says that the time is over; the caller raises it."""
        return self._timeout(f"no complete answer {self._limit}")


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP answer, read to its end."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    closes: bool = True
    """Whether the service closes the connection after this answer."""
    surplus: bytes = field(default=b"", repr=False)
    """Bytes that the service sent beyond the end of the answer, because its Content-Length is too
    small."""

    old: bool = False
    """Whether the service speaks HTTP/1.0."""

    def header(self, name: str) -> str:
        """Return the first value of the header ``name``, or an empty string."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), "")

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx; Wove's executor accepts no other."""
        return 200 <= self.status < 300

    def document(self) -> Any:
        """Return the value of the body, which is parsed as JSON, once. Raises ``ValueError`` or
        ``RecursionError`` if it cannot be."""
        return self._document

    @functools.cached_property
    def _document(self) -> Any:
        return json.loads(self.body.decode("utf-8"))

    def shown(self) -> str:
        """Return the status and the beginning of the body, for messages."""
        return f"HTTP {self.status} {shown(self.body)}"


def shown(data: bytes, limit: int = 160) -> str:
    """Return the first ``limit`` bytes of ``data``, written as a bytes literal."""
    return repr(data[:limit]) + ("…" if len(data) > limit else "")


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: Deadline, begun: bytes) -> None:
        self._sock = sock
        self._deadline = deadline
        self._begun = begun
        self._count = 0
        self.file: _File | None = None
        self.over = False
        """Whether reading from the socket has ended."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self.over:
            return None
        if self._begun:
            size = min(len(buffer), len(self._begun))
            buffer[:size], self._begun = self._begun[:size], self._begun[size:]
            return size
        self._sock.settimeout(self._deadline.left())
        size = self._sock.recv_into(buffer)
        self._count += size
        if self._count > MAX_ANSWER:
            raise NoAnswer(f"the answer is longer than {MAX_ANSWER >> 20} MiB")
        return size

    def makefile(self, mode: str) -> io.BufferedReader:
        self.file = _File(self, CHUNK)
        return self.file


class _File(io.BufferedReader):
    """A reader for HTTPResponse. The bytes that are unread when it is closed are kept in
    ``surplus``."""

    surplus = b""

    def close(self) -> None:
        if not self.closed:
            cast(_Reader, self.raw).over = True
            self.surplus = self.peek(1)
        super().close()


Observer = Callable[[object, bytes], None]
"""A function that is called with a connection and the bytes about to be sent on it."""
Hearer = Callable[[object, HttpResponse], None]
"""A function that is called with a connection and an answer that was read from it."""


class Connection:
    """One connection to the service. ``open_socket`` makes it (including the TLS handshake) before
    ``deadline``. ``observer`` is called with all bytes that are sent, ``hearer`` with each
    answer."""

    def __init__(
        self,
        open_socket: Callable[[Deadline], socket.socket],
        deadline: Deadline,
        observer: Observer = lambda connection, data: None,
        hearer: Hearer = lambda connection, answer: None,
    ) -> None:
        self._observer = observer
        self._hearer = hearer
        self._sock = _explained(lambda: open_socket(deadline), deadline)
        self._broke: ConnectionError | None = None
        self._next = b""
        """The beginning of the next answer, if it was read before."""

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send ``data``. No error is raised if the service closes the connection meanwhile, because
        an answer may have arrived before; if none has, :meth:`answer` raises the error."""
        self._observer(self, data)
        self._send(data, deadline)

    def send_until_answered(self, pieces: Iterable[bytes], deadline: Deadline) -> None:
        """Send ``pieces`` one after the other, but no further ones once an answer has begun or the
        service has closed the connection. They are observed as one, when the last was sent."""
        sent = []
        try:
            for piece in pieces:
                sent.append(piece)
                if not self._send(piece, deadline) or self._has_begun():
                    break
        finally:  # also if the time is over
            self._observer(self, b"".join(sent))

    def _send(self, data: bytes, deadline: Deadline) -> bool:
        """Send ``data``; return whether all of it could be sent."""
        view = memoryview(data)
        try:
            while view:
                self._sock.settimeout(deadline.left())
                view = view[self._sock.send(view[:CHUNK]) :]
        except ConnectionError as exc:
            self._broke = exc
        except OSError:
            return False
        return not view

    def answer(
        self, deadline: Deadline, method: str = "POST", *, more: bool = False
    ) -> HttpResponse:
        """Read one answer and return it. ``more`` says that further requests have been sent, so
        that what follows is the next answer. Raises :class:`NoAnswer` if none is complete before
        ``deadline``."""
        reader = _Reader(self._sock, deadline, self._next)
        like_socket = cast(socket.socket, reader)  # HTTPResponse only calls makefile()
        with closing(http.client.HTTPResponse(like_socket, method=method)) as response:
            answer = _explained(lambda: self._read(response), deadline)
        surplus = reader.file.surplus if reader.file is not None else b""
        self._next = surplus if more else b""
        if surplus and not more:
            answer = replace(answer, surplus=surplus)
        self._hearer(self, answer)
        return answer

    def _read(self, response: http.client.HTTPResponse) -> HttpResponse:
        try:
            response.begin()
        except http.client.RemoteDisconnected:
            if self._broke is not None:  # the kernel reports a reset once, and send() got it
                raise self._broke from None
            raise
        promised = response.length
        chunks: list[bytes] = []
        try:
            while chunk := response.read(CHUNK):  # read() would allocate the promised length
                chunks.append(chunk)
        except http.client.IncompleteRead as exc:
            raise NoAnswer(
                "the chunked body is incomplete, or a chunk has no size (sizes are hexadecimal, and"
                " the last chunk has size 0)"
            ) from exc
        body = b"".join(chunks)
        if promised is not None and len(body) < promised:
            raise NoAnswer(f"the answer ended after {len(body)} of {promised} bytes")
        return HttpResponse(
            *(response.status, tuple(response.getheaders()), body, bool(response.will_close)),
            old=response.version == 10,
        )

    def begun(self, deadline: Deadline) -> bytes:
        """Wait for the first bytes of an answer and return them. :meth:`answer` reads them again,
        and the rest."""
        if not self._next:
            self._sock.settimeout(deadline.left())
            self._next = _explained(lambda: self._sock.recv(1024), deadline)
        return self._next

    def _has_begun(self) -> bool:
        """Return, without waiting, whether an answer has begun or the connection has ended."""
        try:
            self._sock.setblocking(False)
            self._next = self._sock.recv(1024)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except ConnectionError as exc:
            self._broke = exc
        except OSError:  # answer() gets it again, and explains it
            pass
        return True

    def end(self) -> None:
        """Send the end of the stream; what the service sends can still be read. Not for TLS."""
        with suppress(OSError):  # the service may have closed it meanwhile
            self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def reset(self) -> None:
        """Reset the connection, so that the service's next write fails, as if the client had been
        killed."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


def _explained(step: Callable[[], T], deadline: Deadline) -> T:
    try:
        return step()
    except TimeoutError as exc:
        raise deadline.passed() from exc
    except ssl.SSLCertVerificationError as exc:
        raise NoAnswer(
            f"its certificate is not trusted: {exc.verify_message} (give its CA with --ca-file)"
        ) from exc
    except ssl.SSLError as exc:
        raise NoAnswer(f"TLS: {exc.reason or exc} (does it speak https?)") from exc
    except ConnectionRefusedError as exc:
        raise NoAnswer("the connection was refused") from exc
    except http.client.RemoteDisconnected as exc:
        raise ConnectionClosed("the connection was closed without an answer") from exc
    except http.client.BadStatusLine as exc:
        raise NoAnswer(f"the answer is not HTTP: {str(exc)[:160]}") from exc
    except ConnectionError as exc:
        raise ConnectionClosed("the connection was reset") from exc
    except OSError as exc:
        raise NoAnswer(f"{type(exc).__name__}: {exc}") from exc
    except (http.client.HTTPException, ValueError) as exc:
        raise NoAnswer(f"the answer is broken HTTP: {type(exc).__name__}: {exc}") from exc
