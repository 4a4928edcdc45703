"""Whether the next request on a connection is served after one that the service may refuse."""

from __future__ import annotations

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import answers, commands, tasks
from wove_http_dev.conformance.worker.cases.transport.echoes import require
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import (
    Connection,
    ConnectionClosed,
    Deadline,
    NoAnswer,
    shown,
)


def next_after(check: CaseContext, what: str, request: bytes, value: bytes | None = None) -> str:
    """Send ``request`` and then a valid one on the same connection. Fail the case unless the valid
    one is served, or the connection is closed; and unless ``request``, if it was not refused, got
    the result ``value``, if that is given. Return a text about what was seen."""
    deadline = check.deadline()
    connection = check.service.connect(deadline)
    try:
        connection.send(request, deadline)
        try:
            first = connection.answer(deadline)
        except ConnectionClosed:
            return "closed"
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc
        if first.ok and value is not None:
            require(check, what, first, value)
        if first.closes:
            return f"HTTP {first.status}, closed"
        if first.surplus:
            check.fail(
                f"{what} was answered with more bytes than the Content-Length of the answer says"
                f" ({shown(first.surplus, 40)}), on a connection that stays open: the client takes"
                " them for the next answer"
            )
        return f"HTTP {first.status}, {_served_next(check, what, connection, deadline)}"
    finally:
        connection.close()


def _served_next(check: CaseContext, what: str, connection: Connection, deadline: Deadline) -> str:
    body = commands.encode(commands.run_frame(tasks.nothing))
    connection.send(
        check.service.request(body, check.service.credentials(body), keep=True), deadline
    )
    next_one = f"after {what}, a valid request on the same connection"
    hint = "was the body of the first request left unread?"
    try:
        answer = connection.answer(deadline)
    except ConnectionClosed:  # a service may close a connection at any time
        return "closed"
    except NoAnswer as exc:
        raise CaseFailed(f"{next_one} was not answered ({exc}); {hint}") from exc
    if not answer.ok:
        check.fail(f"{next_one} was answered with {answer.shown()}; {hint}")
    answers.result_of(check.terminal_in(answer, next_one))
    return "served"
