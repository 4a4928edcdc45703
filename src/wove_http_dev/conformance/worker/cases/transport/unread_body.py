"""The transport case about the body of a request that is refused before it has come, and a function
that sends the head of such a request."""

from __future__ import annotations

from contextlib import closing

from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.transport import transport
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import (
    AnswerTimeout,
    Connection,
    HttpResponse,
    NoAnswer,
)

CLAIMED = 2**40
"""The size in bytes of a body that no service takes, and of which nothing is sent."""
WAIT = 0.1
"""Seconds to wait for the answer to the head of a request. A service may wait for the body."""


def claim(check: CaseContext, connection: Connection, size: int) -> HttpResponse | None:
    """Send the head of a request whose body has ``size`` bytes, and nothing of the body. Return the
    answer, or ``None`` if the service waits for the body. Raises :class:`ConnectionClosed` if it
    closes the connection without an answer."""
    headers = {**check.service.credentials(b""), "Content-Length": str(size)}
    connection.send(check.service.request(b"", headers, keep=True), check.deadline())
    try:
        return connection.answer(check.deadline(check.silence(WAIT)))
    except AnswerTimeout:
        return None


@transport.must(
    "22",
    f"{sources.HTTP1}, 9.3: a server reads the whole body, or closes the connection",
    scenario=f"the head of a request that claims a body of {CLAIMED >> 40} TiB; if it is refused"
    " and the connection stays open, a valid request in the place of the body",
    expected="the connection is closed, or what follows the head is not answered",
)
def body_is_not_a_request(check: CaseContext) -> str:
    """What follows the head of a request that was refused is its body, and not the next
    request."""
    with closing(check.service.connect(check.deadline())) as connection:
        try:
            refused = claim(check, connection, CLAIMED)
        except NoAnswer as exc:
            return str(exc)
        if refused is None:
            return "it waits for the body"
        if refused.closes:
            return f"HTTP {refused.status}, closed"
        body = commands.encode(commands.run_frame(tasks.nothing))
        request = check.service.request(body, check.service.credentials(body), keep=True)
        connection.send(request, check.deadline())
        try:
            second = connection.answer(check.deadline(check.silence(WAIT)))
        except NoAnswer:
            return f"HTTP {refused.status}; what followed was not answered"
    check.fail(
        f"a request with Content-Length {CLAIMED} was refused with HTTP {refused.status}, the"
        " connection stayed open, and the first bytes of the body were taken for a request:"
        f" they were answered with {second.shown()}, which is for the client the answer to its next"
        " request"
    )
