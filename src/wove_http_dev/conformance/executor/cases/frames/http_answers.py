"""Cases about the HTTP in which an answer arrives: every form that RFC 9112 allows is understood,
and leaves nothing behind that affects the next answer."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.frames import family
from wove_http_dev.conformance.executor.context import DELIVERY_TIMEOUT, CaseContext
from wove_http_dev.conformance.executor.raw_answers import (
    Forms,
    RawAnswer,
    RewrittenAnswer,
    as_utf_8,
)
from wove_http_dev.conformance.executor.received import headers_of, requests_of
from wove_http_dev.conformance.executor.waits import attempt
from wove_http_dev.faults.fault import Wire

NAME = "größe"
"""The name of the task, and so part of its answer. Its UTF-8 is split by chunks and pieces."""
JSON = b"Content-Type: application/json\r\n"
PAUSE = 0.01
"""Seconds between two halves of an answer."""

Write = Callable[[Wire], None]


def _body(wire: Wire) -> bytes:
    """Return the worker's own answer as JSON in raw UTF-8."""
    return as_utf_8(json.loads(wire.body))


def _chunked(size: int, line: bytes = b"%x", last: bytes = b"0\r\n\r\n") -> Write:
    """Write an answer in chunks of ``size`` bytes. ``line`` makes the first line of a chunk from
    its size; ``last`` ends the body."""

    def write(wire: Wire) -> None:
        body = _body(wire)
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        chunks = b"".join(line % len(piece) + b"\r\n" + piece + b"\r\n" for piece in pieces)
        head = b"HTTP/1.1 200 OK\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n"
        wire.send(head + chunks + last)

    return write


def _ended(head: bytes) -> Write:
    """Write an answer with ``head`` whose body ends with the connection."""

    def write(wire: Wire) -> None:
        wire.send(head + b"\r\n" + _body(wire))
        wire.close()

    return write


def _headed(head: bytes, *, close: bool = False) -> Write:
    """Write an answer with ``head``, in which ``%d`` stands for the length of the body; then
    ``close`` the connection."""

    def write(wire: Wire) -> None:
        body = _body(wire)
        wire.send(head.replace(b"%d", b"%d" % len(body)) + b"\r\n" + body)
        if close:
            wire.close()

    return write


def _one_chunk(header: bytes) -> Write:
    """Write an answer in one chunk, with ``header``, the line that says so."""

    def write(wire: Wire) -> None:
        body = _body(wire)
        wire.send(OK + JSON + header + b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))

    return write


def _in_pieces(size: int) -> Write:
    """Write head and body in pieces of ``size`` bytes, with a pause after the head and in the
    middle of the body."""

    def write(wire: Wire) -> None:
        body = _body(wire)
        head = b"HTTP/1.1 200 OK\r\n" + JSON + b"Content-Length: %d\r\n\r\n" % len(body)
        for part in (head, body[: len(body) // 2], body[len(body) // 2 :]):
            for start in range(0, len(part), size):
                wire.send(part[start : start + size])
            wire.wait(PAUSE)

    return write


OK, LENGTH = b"HTTP/1.1 200 OK\r\n", b"Content-Length: %d\r\n"
CHUNKED = Forms(
    "chunked",
    "in chunks",
    (
        RawAnswer("in chunks that split characters", _chunked(3)),
        RawAnswer(
            "in one chunk, its size in capitals with zeros before it", _chunked(10**6, b"00%X")
        ),
        RawAnswer("in chunks with extensions", _chunked(90, b'%x;piece=1;name="a b"')),
        RawAnswer(
            "in chunks, followed by trailer fields",
            _chunked(90, last=b"000\r\nX-Sum: 12\r\nX-Content-Length: 3\r\n\r\n"),
        ),
    ),
)
ENDED = Forms(
    "ended-by-close",
    "that ends with its connection",
    (
        RawAnswer(
            "with Connection: close and no length", _ended(OK + JSON + b"Connection: close\r\n")
        ),
        RawAnswer("without a length and without Connection", _ended(OK + JSON)),
        RawAnswer("of HTTP/1.0 without a length", _ended(b"HTTP/1.0 200 OK\r\n" + JSON)),
    ),
)
HEADERS = Forms(
    "header-forms",
    "with headers in another form",
    (
        RawAnswer(
            "with header names in small letters",
            _headed(OK + b"content-type: application/json\r\ncontent-length: %d\r\n"),
        ),
        RawAnswer(
            "with header names in capitals, no blank after the colon",
            _headed(OK + b"CONTENT-TYPE:application/json\r\nCONTENT-LENGTH:%d\r\n"),
        ),
        RawAnswer(
            "with a chunked coding named in capitals", _one_chunk(b"TRANSFER-ENCODING: Chunked")
        ),
        RawAnswer(
            "with a chunked coding, no blank after the colon",
            _one_chunk(b"transfer-encoding:chunked"),
        ),
        RawAnswer(
            "with blanks and tabs around its headers' values",
            _headed(OK + b"Content-Type: \t application/json \t\r\nContent-Length:  %d \r\n"),
        ),
        RawAnswer(
            'with Content-Type "application/json; charset=utf-8"',
            _headed(OK + b"Content-Type: application/json; charset=utf-8\r\n" + LENGTH),
        ),
        RawAnswer(
            "with Content-Type 'Application/JSON;charset=\"UTF-8\"'",
            _headed(OK + b'Content-Type: Application/JSON;charset="UTF-8"\r\n' + LENGTH),
        ),
        RawAnswer("without a reason phrase", _headed(b"HTTP/1.1 200 \r\n" + JSON + LENGTH)),
        RawAnswer(
            "with another reason phrase", _headed(b"HTTP/1.1 200 All's well\r\n" + JSON + LENGTH)
        ),
        RawAnswer(
            "with an empty header, one beyond ASCII and 60 others",
            _headed(
                OK + JSON + b"X-Empty:\r\nX-Name: gr\xf6\xdfe\r\n" + b"Via: 1.1 a\r\n" * 60 + LENGTH
            ),
        ),
    ),
)
CONNECTION = Forms(
    "connection-ends",
    "after which the worker closes the connection",
    (
        RawAnswer(
            "with Connection: close",
            _headed(OK + JSON + LENGTH + b"Connection: close\r\n", close=True),
        ),
        RawAnswer(
            "with Connection: Keep-Alive, Close",
            _headed(OK + JSON + LENGTH + b"Connection: Keep-Alive, Close\r\n", close=True),
        ),
        RawAnswer("of HTTP/1.0", _headed(b"HTTP/1.0 200 OK\r\n" + JSON + LENGTH, close=True)),
    ),
)
PIECES = Forms(
    "in-pieces",
    "that arrives in pieces",
    (
        RawAnswer("in pieces of 3 bytes", _in_pieces(3)),
        RawAnswer("in pieces of 50 bytes", _in_pieces(50)),
    ),
    tls=True,
)
CONTINUE = Forms(
    "interim-100",
    "after an interim response 100",
    (
        RawAnswer(
            "after a 100 (Continue)",
            _headed(b"HTTP/1.1 100 Continue\r\n\r\n" + OK + JSON + LENGTH),
        ),
        RawAnswer(
            "after two 100 with headers",
            _headed(b"HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\n" * 2 + OK + JSON + LENGTH),
        ),
    ),
)
FOLDED = Forms(
    "folded-header",
    "with a header that is folded",
    (
        RawAnswer(
            "with a header on two lines",
            _headed(OK + b"Content-Type: application/json;\r\n charset=utf-8\r\n" + LENGTH),
        ),
    ),
)


def _understood(check: CaseContext, kind: Forms) -> str:
    """Run a task for each of the forms, and another one after it, all on one executor."""
    worker = check.worker() if kind.tls else check.quick_worker()
    limit = check.seconds(DELIVERY_TIMEOUT)

    async def script(remote: Remote) -> None:
        for number, form in enumerate(kind.forms):
            with worker.inject(form):
                outcome = await attempt(remote(NAME, number, delivery_timeout=limit))
            if outcome.value != number:
                check.fail(f"an answer {form.words} was not understood: {outcome}")
            after = await attempt(remote("after", "afterwards", delivery_timeout=limit))
            if after.value != "afterwards":
                check.fail(f"the run after an answer {form.words} ended with {after}")

    check.run_script(worker, script, planned=2 * len(kind.forms) * limit)
    return f"{len(kind.forms)} understood"


@family.each(
    {"18": CHUNKED, "19": ENDED, "20": HEADERS, "21": CONNECTION, "22": PIECES, "23": CONTINUE},
    sources.HTTP,
    name="{0.name}",
    scenario="runs with an answer {0.words} ({0.listed}), each followed by another run",
    expected="the result of each run",
)
def understood(check: CaseContext, kind: Forms) -> str:
    """An answer {0.words} is understood, and the next answer as well."""
    return _understood(check, kind)


@family.should(
    "24",
    sources.FOLDING,
    scenario="a run whose answer has a header that is continued on a second line, then another run",
    expected="the result of each run",
)
def folded_header(check: CaseContext) -> str:
    """A header of an answer may be folded; no worker of today does so."""
    return _understood(check, FOLDED)


CODINGS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


def _codings(accepted: str) -> list[str]:
    """Return those of :data:`CODINGS` that the value of an Accept-Encoding header allows."""
    found = []
    for part in accepted.lower().split(","):
        name, _, weight = (text.strip() for text in part.partition(";"))
        if name in CODINGS and weight.replace(" ", "").rstrip("0") not in ("q=", "q=0."):
            found.append(name)
    return found


def _compressed(compress: Callable[[bytes], bytes], document: Any) -> bytes:
    return compress(as_utf_8(document))


@family.must(
    "35",
    sources.CODING,
    scenario="a run, and one for each coding (gzip, deflate) that the Accept-Encoding of its"
    " request names, whose answer is compressed with it",
    expected="the result of each run",
)
def accepted_codings(check: CaseContext) -> str:
    """An executor that says it accepts compressed answers understands them."""
    worker = check.quick_worker()
    check.run_one_weave(worker)
    if not requests_of(worker):
        raise NotApplicable("no request arrived", needs=["frames.01"])
    codings = _codings(headers_of(requests_of(worker)[-1]).get("Accept-Encoding", ""))
    for coding in codings:
        answer = RewrittenAnswer(
            f"compressed with {coding}",
            partial(_compressed, CODINGS[coding]),
            headers=(("Content-Encoding", coding),),
        )
        with worker.inject(answer):
            outcome = check.run_one_weave(worker, 1)
        if outcome.value != 1:
            check.fail(
                f"the request says Accept-Encoding: {coding}, but an answer in {coding} was not"
                f" understood: {outcome}"
            )
    return f"{' and '.join(codings)} understood" if codings else "none asked for"
