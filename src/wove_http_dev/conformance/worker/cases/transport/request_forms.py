"""Transport cases about requests that Wove does not send itself, but proxies and other HTTP clients
make of its requests: header names in lower case, a body in chunks, HTTP/1.0."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import sources
from wove_http_dev.conformance.worker.answer_rules import how_broken
from wove_http_dev.conformance.worker.cases.transport import transport
from wove_http_dev.conformance.worker.cases.transport.echoes import (
    SIZES,
    echo,
    exchanged,
    joined,
    parts,
    require,
)
from wove_http_dev.conformance.worker.cases.transport.next_request import next_after
from wove_http_dev.conformance.worker.client import in_chunks
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import ConnectionClosed, NoAnswer

MANY = 40
"""How many headers a proxy may add."""


def _forms() -> Iterator[tuple[str, Callable[[str, str], str], list[str]]]:
    """Yield for each form of headers its name, a function that writes a header, and more headers,
    to be added."""
    more = [f"X-Forwarded-Conformance-{n}: {n}" for n in range(MANY)]
    yield "header names in lower case", lambda name, value: f"{name.lower()}: {value}", []
    yield "header names in upper case", lambda name, value: f"{name.upper()}: {value}", []
    yield "no blank behind the colon of a header", lambda name, value: f"{name}:{value}", []
    # None behind the values: Python's own HTTP server does not remove them.
    yield "more blanks in front of header values", lambda name, value: f"{name}: \t {value}", []
    yield f"{MANY} more headers", lambda name, value: f"{name}: {value}", more
    long = [f"Cookie: session={'x' * 4000}", "X-Forwarded-For: 10.0.0.1", "X-Forwarded-For: ::1"]
    yield "a long header, and one twice", lambda name, value: f"{name}: {value}", long


@transport.must(
    "11",
    f"{sources.HTTP1}, 5; {sources.HTTP}, 5.1 to 5.5",
    scenario="valid requests with all header names in lower or upper case, without or with more"
    f" blanks in front of the values, with {MANY} more headers, with one of 4000 characters",
    expected="the task's result each time",
)
def header_forms(check: CaseContext) -> str:
    """Header names are case-insensitive; blanks before values, and unknown headers, change
    nothing."""
    for what, written, more in _forms():
        value, body = echo()
        request = check.service.request(body, check.service.credentials(body))
        line, pairs, body = parts(request)
        headers = [written(name, text) for name, text in pairs]
        answer = exchanged(check, f"a request with {what}", joined(line, headers + more, body))
        require(check, f"a request with {what}", answer, value)
    return "served"


@transport.should(
    "12",
    f"{sources.HTTP}, 8.3.1",
    scenario="valid requests with Content-Type: application/json; charset=utf-8, with a quoted"
    " charset, and Application/JSON",
    expected="the task's result each time",
)
def content_type_forms(check: CaseContext) -> str:
    """A content type is case-insensitive, and may have parameters."""
    for kind in (
        *("application/json; charset=utf-8", 'application/json;charset="UTF-8"'),
        "Application/JSON",
    ):
        value, body = echo()
        headers = {"Content-Type": kind, **check.service.credentials(body)}
        what = f"a request with Content-Type: {kind}"
        require(check, what, check.ask(what, body, headers), value)
    return "served"


@transport.must(
    "15",
    f"{sources.HTTP1}, 6.1 and 7.1; {sources.HTTP}, 15.5.12 (411)",
    scenario="requests whose bodies come in chunks, alone and beside a Content-Length; if the first"
    " one is served, one more and a valid one on the same connection",
    expected="the task's result, or an error status, or the connection is closed",
)
def chunked_request(check: CaseContext) -> str:
    """A body in chunks is read to its end, or refused at once."""
    seen = ""
    for what, beside in (("chunks", False), ("chunks and a Content-Length", True)):
        what = f"a request with {what}"
        value, request = _chunked(check, keep=False, beside=beside)
        try:
            answer = check.service.exchange(request, check.deadline())
        except ConnectionClosed:
            continue
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc
        seen = f"HTTP {answer.status}"
        if answer.ok:
            require(check, what, answer, value)
            value, request = _chunked(check, keep=True, beside=beside)
            next_after(check, what, request, value)
    check.still_serves("requests with chunks")
    return seen or "closed"


def _chunked(check: CaseContext, *, keep: bool, beside: bool) -> tuple[bytes, bytes]:
    """Return the value of a task, and its request with a body in two chunks; ``beside`` is whether
    it has a Content-Length as well."""
    value, body = echo()
    plain = check.service.request(body, check.service.credentials(body), keep=keep)
    line, pairs, _ = parts(plain)
    half = len(body) // 2
    chunks = in_chunks(body[:half], body[half:])
    headers = [f"{name}: {text}" for name, text in pairs if name != "Content-Length"]
    headers += [f"Content-Length: {len(chunks)}"] if beside else []
    return value, joined(line, [*headers, "Transfer-Encoding: chunked"], chunks)


@transport.must(
    "16",
    f"{sources.HTTP1}, 6.1 and 9.3; nginx speaks HTTP/1.0 to a service by default",
    scenario="valid requests of HTTP/1.0, with a small and a large body",
    expected="the task's result, without Transfer-Encoding; or an error status",
)
def http_1_0(check: CaseContext) -> str:
    """A request of HTTP/1.0 is served in a way that its client understands, or refused."""
    for name, size in SIZES.items():
        what = f"a {name} request of HTTP/1.0"
        value, body = echo(size)
        request = check.service.request(body, check.service.credentials(body))
        request = request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
        answer = exchanged(check, what, request)
        if answer.status >= 400:
            continue
        require(check, what, answer, value)
        if how := how_broken("framing", request, answer):
            check.fail(f"{what}: in the answer, {how}")
    return f"HTTP {answer.status}"


@transport.should(
    "19",
    f"{sources.HTTP1}, 6.3: such a request has no body; {sources.HTTP}, 15.5.12 (411)",
    scenario="a POST without Content-Length and Transfer-Encoding, on a connection that stays open",
    expected="an error status, or the connection is closed; at once",
)
def no_length(check: CaseContext) -> str:
    """A POST that does not say how long its body is has none, and is answered."""
    request = check.service.request(b"", check.service.credentials(b""), keep=True)
    line, pairs, body = parts(request)
    headers = [f"{name}: {value}" for name, value in pairs if name != "Content-Length"]
    try:
        answer = check.service.exchange(joined(line, headers, body), check.deadline())
    except ConnectionClosed:
        return "closed"
    except NoAnswer as exc:
        raise CaseFailed(f"a POST without Content-Length: {exc}") from exc
    if answer.ok:
        check.fail(f"a POST without Content-Length was answered with {answer.shown()}")
    return f"HTTP {answer.status}"
