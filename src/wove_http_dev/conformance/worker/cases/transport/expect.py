"""Transport cases about requests with `Expect: 100-continue`, which curl and other clients send
before a large body."""

from __future__ import annotations

from contextlib import closing

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import sources
from wove_http_dev.conformance.worker.cases.transport import transport
from wove_http_dev.conformance.worker.cases.transport.echoes import SIZES, echo, exchanged, require
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import AnswerTimeout, Connection, NoAnswer, shown

SOON = 2.0
"""Seconds, on an idle machine, until a service has answered the head of a request."""


def _expecting(check: CaseContext, size: int) -> tuple[bytes, bytes, bytes]:
    """Return the value of a task, and head and body of its request, which has
    ``Expect: 100-continue``."""
    value, body = echo(size)
    headers = {"Expect": "100-continue", **check.service.credentials(body)}
    request = check.service.request(body, headers)
    return value, request[: -len(body)], body


@transport.must(
    "13",
    f"{sources.HTTP}, 10.1.1",
    scenario="requests with Expect: 100-continue whose bodies, a small and a large one, follow at"
    " once",
    expected="the task's result, or 417",
)
def expect_without_waiting(check: CaseContext) -> str:
    """A client that announces its body with Expect: 100-continue need not wait for the answer."""
    for name, size in SIZES.items():
        what = f"a {name} request with Expect: 100-continue"
        value, head, body = _expecting(check, size)
        answer = exchanged(check, what, head, body)
        if answer.status != 417:
            require(check, what, answer, value)
    return f"HTTP {answer.status}"


@transport.should(
    "14",
    f"{sources.HTTP}, 10.1.1: an immediate 100, or a final status",
    scenario="the heads of requests with Expect: 100-continue; the bodies follow when the service"
    " has answered with 100",
    expected="100 Continue or a final status before the body is sent; after a 100 the task's"
    " result, or 417",
)
def expect_is_answered_at_once(check: CaseContext) -> str:
    """Expect: 100-continue is answered before the body comes; curl waits a second for it."""
    _, body = echo()
    if check.ask("a plain run", body).old:
        raise NotApplicable("the service speaks HTTP/1.0, which does not have 100 Continue")
    for name, size in SIZES.items():
        what = f"a {name} request with Expect: 100-continue"
        value, head, body = _expecting(check, size)
        deadline = check.deadline()
        try:
            with closing(check.service.connect(deadline)) as connection:
                connection.send(head, deadline)
                first = _first_status(check, what, connection)
                if first != "100":
                    return f"HTTP {first}"
                connection.send(body, deadline)
                answer = connection.answer(deadline)
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc
        if answer.status != 417:
            require(check, what, answer, value)
    return f"HTTP 100, then {answer.status}"


def _first_status(check: CaseContext, what: str, connection: Connection) -> str:
    """Wait for an answer to the head of a request, and return its status."""
    try:
        begun = connection.begun(check.deadline(check.seconds(SOON)))
    except AnswerTimeout as exc:
        raise CaseFailed(f"{what}, of which the body was not yet sent: {exc}") from exc
    words = begun.split(None, 2)
    if len(words) < 2 or not words[1].isdigit():
        check.fail(f"{what} was answered with {shown(begun)}, before its body was sent")
    return words[1].decode()
