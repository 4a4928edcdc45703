"""Limit cases about bodies that are larger than the service takes.

A service does not say how much it takes. A Content-Length above its limit is refused before the
body has come, so that the cases find a limit without sending a body.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.limits import limits
from wove_http_dev.conformance.worker.cases.transport.echoes import joined, parts
from wove_http_dev.conformance.worker.cases.transport.unread_body import CLAIMED, WAIT, claim
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import (
    AnswerTimeout,
    ConnectionClosed,
    HttpResponse,
    NoAnswer,
)

CANNOT = (501, 503, 507)
"""Error statuses of a server that also say that it does not take the request."""
MIB = 2**20
LIMITS = (16 * MIB, MIB)
"""Limits in bytes that are common, the largest first."""
HIGHEST = 64 * MIB
"""The limit of the reference workers. A service that copies a body with each piece of it takes
seconds for as much, so it is sent only where there is a reason to."""

UNLIMITED = 128 * MIB
"""Bytes of a body: a service that reads as many, and more, has no limit that protects it."""


@limits.should(
    "12",
    f"{sources.HTTP}, 15.5.14 (413)",
    scenario=f"the head of a request that claims a body of {CLAIMED >> 40} TiB",
    expected="413, or another error status of the client; or the service waits for the body",
)
def too_large_is_answered(check: CaseContext) -> str:
    """A request whose body is too large is answered with the reason."""
    what = f"a request with Content-Length {CLAIMED}"
    with closing(check.service.connect(check.deadline())) as connection:
        try:
            answer = claim(check, connection, CLAIMED)
        except ConnectionClosed as exc:
            check.fail(
                f"{what}: {exc}; its client cannot know that the body was too large, and may send"
                " it again"
            )
        except NoAnswer as exc:
            check.fail(f"{what}: {exc}")
    if answer is None:
        return "it waits for the body"
    if not (400 <= answer.status < 500 or answer.status in CANNOT):
        check.fail(f"{what} was answered with {answer.shown()}, before its body was sent")
    return f"HTTP {answer.status}"


@limits.should(
    "15",
    sources.CWE_EXHAUSTION,
    scenario="the head of a request without credentials that claims a body of"
    f" {CLAIMED >> 40} TiB; if the service waits for the body, {UNLIMITED // MIB} MiB of it",
    expected="an error status, or the connection is closed",
    alone=True,
)
def body_has_a_limit(check: CaseContext) -> str:
    """A service stops reading a body at a limit, because it takes memory before the credentials
    can be verified."""
    check.need_mode("signed", "bearer")
    service, deadline = check.session.service, check.deadline()  # unobserved: see _in_one_chunk
    head = service.request(b"", {}).replace(b"Length: 0", b"Length: %d" % CLAIMED)
    piece = b" " * MIB
    with closing(service.connect(deadline)) as connection, suppress(ConnectionClosed):
        try:
            check.note_unobserved(head)
            connection.send(head, deadline)
            for _ in range(UNLIMITED // MIB):
                connection.send(piece, deadline)
            deadline.left()  # raises if the last piece was not sent in time
        except AnswerTimeout as exc:  # the service reads slowly, or no more
            raise NotApplicable(f"{UNLIMITED // MIB} MiB could not be sent in time") from exc
        try:
            return f"HTTP {connection.answer(check.deadline()).status}"
        except AnswerTimeout as exc:
            raise CaseFailed(
                f"{UNLIMITED // MIB} MiB of a body without credentials were sent, and the service"
                f" waits for more, so anyone can use up its memory: {exc}"
            ) from exc
    return "closed"


def _in_chunks(check: CaseContext, credentials: Mapping[str, str], start: bytes) -> bytes:
    """Return a request in chunks up to ``start``, which begins the first chunk."""
    line, pairs, _ = parts(check.service.request(b"", credentials))
    headers = [f"{name}: {value}" for name, value in pairs if name != "Content-Length"]
    return joined(line, [*headers, "Transfer-Encoding: chunked"], start)


def _in_one_chunk(check: CaseContext, body: bytes) -> HttpResponse:
    """Send a request whose ``body`` comes in one chunk, and return the answer. That may take all
    the time of the case, because a large body passes through a busy machine slowly."""
    # The check does not note it, because a note holds all bytes and hashes them again.
    service, deadline = check.session.service, check.deadline(check.time_left())
    head = _in_chunks(check, service.credentials(body), b"%x\r\n" % len(body))
    with closing(service.connect(deadline)) as connection:
        for piece in (head, body, b"\r\n0\r\n\r\n"):  # joined they would be copied
            connection.send(piece, deadline)
        return connection.answer(deadline)


def _refuses(check: CaseContext, size: int) -> bool:
    """Return whether a Content-Length of ``size`` is refused before the body comes."""
    with closing(check.service.connect(check.deadline())) as connection, suppress(NoAnswer):
        answer = claim(check, connection, size)
        return answer is not None and answer.status >= 400
    return False


def _fails_at_a_chunk(check: CaseContext) -> bool:
    """Return whether the service closes the connection when a chunk claims to be too large: it
    looks at no limit before it reads."""
    request = _in_chunks(check, check.service.credentials(b""), b"%x\r\n" % CLAIMED)
    with closing(check.service.connect(check.deadline())) as connection:
        connection.send(request, check.deadline())
        try:
            connection.answer(check.deadline(check.silence(WAIT)))
        except ConnectionClosed:
            return True
        except NoAnswer:
            return False
    return False


def _refused_size(check: CaseContext) -> int:
    """Return a size for which a Content-Length is refused. Skips the case if there is none."""
    found = 0
    for limit in LIMITS:
        if not _refuses(check, limit + 1):
            break
        found = limit + 1
    if not found and _refuses(check, HIGHEST + 1) and _fails_at_a_chunk(check):
        found = HIGHEST + 1
    if not found:
        raise NotApplicable(
            f"no Content-Length up to {LIMITS[0] // MIB} MiB is refused before the body comes"
        )
    return found


@limits.should(
    "13",
    f"{sources.CWE_EXHAUSTION}; {sources.HTTP1}, 6.1",
    scenario="a run_task in one chunk, followed by blanks up to a size for which a Content-Length"
    f" is refused ({', '.join(str(limit // MIB) for limit in LIMITS)} MiB and a byte are tried, and"
    f" {HIGHEST // MIB} MiB if the connection is closed where a chunk claims {CLAIMED >> 40} TiB)",
    expected="an error status, or the connection is closed",
)
def limit_for_chunks(check: CaseContext) -> str:
    """A body in chunks may not be larger than one with a Content-Length."""
    body = commands.encode(commands.run_frame(tasks.nothing))
    try:
        small = _in_one_chunk(check, body)
    except NoAnswer as exc:
        raise NotApplicable(f"bodies in chunks are refused: {exc}") from exc
    if not small.ok:
        raise NotApplicable(f"bodies in chunks are refused: HTTP {small.status}")
    size = _refused_size(check)
    large = commands.encode(commands.run_frame(tasks.nothing)).ljust(size)
    try:
        answer = _in_one_chunk(check, large)
    except AnswerTimeout as exc:
        raise NotApplicable(f"{size} bytes in chunks: {exc}") from exc
    except NoAnswer as exc:
        return str(exc)
    if answer.ok:
        check.fail(
            f"a Content-Length of {size} is refused, and as many bytes in chunks were read,"
            f" verified and run: {answer.shown()}"
        )
    return f"HTTP {answer.status}"
