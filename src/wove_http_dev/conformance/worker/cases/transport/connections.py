"""Transport cases about connections: several requests on one, and who closes it when."""

from __future__ import annotations

from collections.abc import Callable

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import answers, commands, sources, tasks
from wove_http_dev.conformance.worker.answer_rules import how_broken
from wove_http_dev.conformance.worker.cases.transport import transport
from wove_http_dev.conformance.worker.cases.transport.echoes import SIZES, echo, require
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.unpickling import brief
from wove_http_dev.conformance.worker.wire import (
    AnswerTimeout,
    Connection,
    ConnectionClosed,
    Deadline,
    HttpResponse,
    NoAnswer,
    shown,
)

ANY, REJECTED, FAILED = object(), object(), object()
"""What is expected of a request: any answer, an error status, a task_error."""


class _Talk:
    """Sends one request after the other on one connection, and on a new one where the service has
    closed it, which it may do after each answer."""

    def __init__(self, check: CaseContext) -> None:
        self._check = check
        self._connection: Connection | None = None
        self._fresh = True

    def ask(self, what: str, body: bytes) -> HttpResponse:
        """Send ``body`` and return the answer. The case fails if none comes."""
        deadline = self._check.deadline()
        try:
            try:
                answer = self._asked(body, deadline)
            except ConnectionClosed:
                if self._fresh:
                    raise
                self.close()
                answer = self._asked(body, deadline)
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc
        if answer.closes:
            self.close()
        return answer

    def _asked(self, body: bytes, deadline: Deadline) -> HttpResponse:
        service = self._check.service
        self._fresh = self._connection is None
        self._connection = self._connection or service.connect(deadline)
        request = service.request(body, service.credentials(body), keep=True)
        self._connection.send(request, deadline)
        return self._connection.answer(deadline)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _requests() -> list[tuple[str, bytes, object]]:
    """Return requests for one connection: a name of each, its body, and the result of its task, or
    what else is expected."""

    def run(function: Callable[..., object], **args: object) -> bytes:
        return commands.encode(commands.run_frame(function, args))

    large = bytes(SIZES["large"])
    unknown = commands.encode(commands.cancel_frame(commands.new_run_id()))
    return [
        ("a run", run(tasks.echo, value="one"), "one"),
        ("an async run", run(tasks.echo_async, value="two"), "two"),
        ("a large run", run(tasks.echo, value=large), large),
        ("a run after a large one", run(tasks.echo, value="three"), "three"),
        ("a run that fails", run(tasks.fail), FAILED),
        ("a run after one that failed", run(tasks.nothing), None),
        ("malformed JSON", b'{"type": "run_task"', REJECTED),
        ("a run after malformed JSON", run(tasks.echo, value="four"), "four"),
        ("an unknown command", b'{"type": "run_everything", "run_id": "x"}', REJECTED),
        ("an async run after an unknown command", run(tasks.echo_async, value="five"), "five"),
        ("a cancel_task for an unknown run", unknown, ANY),
        ("a run after a cancel_task", run(tasks.echo, value="six"), "six"),
        ("an empty body", b"", REJECTED),
        ("an async run after an empty body", run(tasks.echo_async, value="seven"), "seven"),
    ]


@transport.should(
    "24",
    f"{sources.HTTP1}, 9.6: a server that closes the connection says so in its last answer",
    scenario="a valid request that asks to keep the connection, and another one on it",
    expected="an answer to the second, or Connection: close in the first answer",
)
def says_that_it_closes(check: CaseContext) -> str:
    """A service that closes the connection after an answer says so in the answer. Otherwise the
    client's next request is lost, and the client cannot tell whether it was run."""
    _, body = echo()
    deadline = check.deadline()
    try:
        connection = check.service.connect(deadline)
        try:
            for which in ("the first answer", "the second answer"):
                request = check.service.request(body, check.service.credentials(body), keep=True)
                connection.send(request, deadline)
                try:
                    answer = connection.answer(deadline)
                except ConnectionClosed:
                    if which == "the first answer":
                        raise
                    check.fail(
                        "after an answer without Connection: close the service closed the"
                        " connection, and the next request on it was lost"
                    )
                if answer.closes:
                    return f"{which} says Connection: close"
        finally:
            connection.close()
    except NoAnswer as exc:
        raise CaseFailed(f"two requests on one connection: {exc}") from exc
    return "it stays open"


@transport.must(
    "10",
    f"{sources.HTTP1}, 9.3; {sources.PROTOCOL}",
    scenario="on one connection, one after the other: runs (sync, async, large, one that fails),"
    " bad bodies, a cancel_task for an unknown run; a run after each",
    expected="the answer to each request is its own; the service may close the connection after"
    " any answer",
)
def one_connection(check: CaseContext) -> str:
    """The requests of one connection are served like those of many; nothing of one request is left
    for the next."""
    talk = _Talk(check)
    try:
        for number, (name, body, expected) in enumerate(_requests(), 1):
            what = f"request {number} on a connection ({name})"
            answer = talk.ask(what, body)
            _judge(check, what, body, answer, expected)
    finally:
        talk.close()
    return f"{number} requests"


def _judge(
    check: CaseContext, what: str, body: bytes, answer: HttpResponse, expected: object
) -> None:
    if expected is ANY:
        return
    if expected is REJECTED:
        if answer.status < 400:
            check.fail(f"{what} was answered with {answer.shown()}")
        return
    event = check.terminal_in(answer, what)
    if how := how_broken("ids", check.service.request(body, {}), answer):
        check.fail(f"{what}: {how}")
    if expected is FAILED:
        if event.get("type") != "task_error":
            check.fail(f"{what} was answered with {event.get('type')!r}")
        return
    seen = answers.result_of(event)
    if seen != expected:
        check.fail(f"{what} got {brief(seen)} where {brief(expected)} was returned")


@transport.should(
    "17",
    f"{sources.HTTP1}, 9.6",
    scenario="a valid request with Connection: close, and one that is rejected, both on connections"
    " that the client leaves open",
    expected="the service closes the connection after its answer",
)
def connection_close(check: CaseContext) -> str:
    """After the answer to a request with Connection: close the service closes the connection."""
    _, valid = echo()
    for what, body in (("a run_task", valid), ("malformed JSON", b"{")):
        what = f"{what} with Connection: close"
        deadline = check.deadline()
        try:
            connection = check.service.connect(deadline)
            try:
                connection.send(
                    check.service.request(body, check.service.credentials(body)), deadline
                )
                connection.answer(deadline)
                _require_end(check, what, connection, deadline)
            finally:
                connection.close()
        except NoAnswer as exc:
            raise CaseFailed(f"{what}: {exc}") from exc
    return "closed"


def _require_end(check: CaseContext, what: str, connection: Connection, deadline: Deadline) -> None:
    """Fail the case unless the service closes ``connection`` before ``deadline``."""
    try:
        more = connection.begun(deadline)
    except AnswerTimeout as exc:
        raise CaseFailed(
            f"after the answer to {what} the service had not closed the connection within"
            f" {deadline.seconds:g} s"
        ) from exc
    except NoAnswer:  # reset, or ended without TLS's own end
        return
    if more:
        check.fail(f"after the answer to {what} the service sent {shown(more)}")


@transport.must(
    "18",
    f"{sources.HTTP1}, 9.6; {sources.EXECUTOR}: at a timeout it closes the connection",
    scenario="a valid request whose client says that it sends no more (the end of a TCP stream)",
    expected="the task's result, or no answer: some servers take the client for gone; the service"
    " keeps serving",
)
def half_closed(check: CaseContext) -> str:
    """A client that sends no more after its request does not stop the service."""
    if check.service.tls:
        raise NotApplicable("TLS has no end of one direction only")
    value, body = echo()
    deadline = check.deadline()
    connection = check.service.connect(deadline)
    try:
        connection.send(check.service.request(body, check.service.credentials(body)), deadline)
        connection.end()
        try:
            answer = connection.answer(deadline)
        except AnswerTimeout as exc:
            raise CaseFailed(f"a request whose client sends no more: {exc}") from exc
        except NoAnswer:
            seen = "closed"
        else:
            seen = f"HTTP {answer.status}"
            if answer.ok:
                require(check, "a request whose client sends no more", answer, value)
    finally:
        connection.close()
    check.still_serves("a request whose client sends no more")
    return seen
