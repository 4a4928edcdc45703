"""Transport cases about requests whose length can be read in two ways: a proxy and the service
behind it would disagree about where the next request begins (request smuggling)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeAlias

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.transport import transport
from wove_http_dev.conformance.worker.cases.transport.echoes import joined, parts
from wove_http_dev.conformance.worker.client import in_chunks
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer

MORE = b"\r\n0\r\n\r\n"
"""What follows the body: it ends the first line of a body that is read in chunks."""


REFUSED = "an error status, or the connection is closed"


@transport.should(
    "20",
    f"{sources.HTTP1}, 6.1 to 6.3; {sources.HTTP}, 8.6",
    scenario="valid requests with a Content-Length and Transfer-Encoding: chunked (but a body"
    " without chunks), with another transfer coding, or with a Content-Length that is empty,"
    " negative, a list, written as +5, 1_0, 5.0, 0x5 or 5 6, or has a blank before its colon",
    expected=REFUSED,
)
def certain_length(check: CaseContext) -> str:
    """A request whose length is not certain is refused."""
    return _refused(check, _uncertain)


@transport.should(
    "21",
    f"{sources.HTTP1}, 6.3: an error that cannot be repaired",
    scenario="valid requests with two Content-Lengths, of which the first or the last is right",
    expected=REFUSED,
)
def one_length(check: CaseContext) -> str:
    """A request with two different lengths is refused."""
    return _refused(check, _two)


@transport.should(
    "23",
    f"{sources.HTTP1}, 7.1 and 7.1.3: a chunk is its size in hex digits, a line end, and its bytes"
    " with a line end behind them",
    scenario="valid requests in chunks, one of which has its size written as +1f, 0x1f or 1_f, or"
    " other bytes in the place of the line end behind it; and in another coding than chunks",
    expected=REFUSED,
)
def certain_chunks(check: CaseContext) -> str:
    """A request in chunks of which one has no certain length is refused."""
    seen = []
    for what, size, end, coding in _CHUNKS:
        body = commands.encode(commands.run_frame(tasks.nothing))
        request = check.service.request(body, check.service.credentials(body))
        line, pairs, _ = parts(request)
        headers = [f"{name}: {value}" for name, value in pairs if name != "Content-Length"]
        chunks = in_chunks(body[CHUNK:])
        chunk = f"{size}\r\n".encode() + body[:CHUNK] + end
        request = joined(line, [*headers, f"Transfer-Encoding: {coding}"], chunk + chunks)
        seen.append(_answered(check, f"a request with {what}", request))
    return "; ".join(dict.fromkeys(seen))


CHUNK = 0x1F
"""The bytes of the chunk that is written in another way."""
_CHUNKS = (
    ("a chunk of size +1f", "+1f", b"\r\n", "chunked"),
    ("a chunk of size 0x1f", "0x1f", b"\r\n", "chunked"),
    ("a chunk of size 1_f", "1_f", b"\r\n", "chunked"),
    ("a chunk without a line end behind it", "1f", b"!!", "chunked"),
    ("the coding xchunked", "1f", b"\r\n", "xchunked"),
    ("the codings chunked and xchunked", "1f", b"\r\n", "chunked, xchunked"),
)
_Lengths: TypeAlias = Callable[[int], Iterator[tuple[str, list[str]]]]
"""A function that yields header lines that say how long a body of so many bytes is, each time with
a description."""


def _refused(check: CaseContext, lengths: _Lengths) -> str:
    """Send a request with each of ``lengths``, require that it is refused, and return a text about
    what was seen."""
    seen = []
    size = len(commands.encode(commands.run_frame(tasks.nothing)))
    for what, lines in lengths(size):
        body = commands.encode(commands.run_frame(tasks.nothing))
        request = check.service.request(body, check.service.credentials(body))
        line, pairs, _ = parts(request)
        headers = [f"{name}: {value}" for name, value in pairs if name != "Content-Length"]
        request = joined(line, headers + lines, body + MORE)
        seen.append(_answered(check, f"a request with {what}", request))
    return "; ".join(dict.fromkeys(seen))


def _answered(check: CaseContext, what: str, request: bytes) -> str:
    """Send ``request``, fail the case if it is accepted or not answered in time, and return a text
    about the answer."""
    deadline = check.deadline()
    try:
        with closing(check.service.connect(deadline)) as connection:
            connection.send(request, deadline)
            # What follows the body may be answered as well.
            answer = connection.answer(deadline, more=True)
    except NoAnswer as exc:
        if exc.late:
            raise CaseFailed(f"{what} was neither accepted nor refused: {exc}") from exc
        return "closed"
    if answer.ok:
        check.fail(f"{what} was accepted: {answer.shown()}")
    return f"HTTP {answer.status}"


def _two(size: int) -> Iterator[tuple[str, list[str]]]:
    right, longer = f"Content-Length: {size}", f"Content-Length: {size + len(MORE)}"
    yield "two lengths, of which the first is right", [right, longer]
    yield "two lengths, of which the last is right", [longer, right]


def _uncertain(size: int) -> Iterator[tuple[str, list[str]]]:
    right, digits = f"Content-Length: {size}", str(size)
    for coding in ("chunked", "xchunked"):
        yield f"a Content-Length and the coding {coding}", [right, f"Transfer-Encoding: {coding}"]
    for text in (
        *(f"+{size}", f"-{size}", f"{digits[:-1]}_{digits[-1]}", f"{size}.0", f"{size:#x}", ""),
        *(f"{size} {size + len(MORE)}", f"{size}, {size + len(MORE)}"),
    ):
        yield f"Content-Length: {text or '(nothing)'}", [f"Content-Length: {text}"]
    yield "a blank before the colon of Content-Length", [f"Content-Length : {size}"]
