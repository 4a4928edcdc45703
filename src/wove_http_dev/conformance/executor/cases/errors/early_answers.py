"""The case about a worker that refuses a request before it has read all of it, and then closes the
connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.errors import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.faults import Fault
from wove_http_dev.faults.fault import Connection

SENT = 9 * 10**6
"""Bytes of the argument: as base64 more than the buffers of both sockets hold (on Linux at most 10
MiB), so that the executor still writes when the connection is closed."""
ANSWER = (
    b"HTTP/1.1 413 Content Too Large\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 2\r\n"
    b"Connection: close\r\n\r\n{}"
)


@dataclass(frozen=True)
class AnswersEarly(Fault):
    """Answers 413 as soon as the head has arrived, and closes the connection."""

    stage: ClassVar[str] = "connection"

    def on_connection(self, connection: Connection) -> None:
        """Read the head and the beginning of the body, answer, and close."""
        read = b""
        while b"\r\n\r\n" not in read:
            more = connection.read(4096)
            if not more:
                break
            read += more
        connection.send(ANSWER)
        connection.close()


@family.should(
    "27",
    sources.EARLY,
    scenario=f"a run with an argument of {SENT // 10**6} MB, answered 413 as soon as its head has"
    " arrived, after which the worker closes the connection",
    expected="an error that names the status 413",
)
def answered_early(check: CaseContext) -> str:
    """A refusal that arrives before the request was sent completely is read: the failed write alone
    does not say why."""
    if not check.takes_plain_http:
        raise NotApplicable("the worker reads without TLS, and the executor takes https URLs only")
    worker = check.worker(tls=False)
    worker.inject(AnswersEarly())
    outcome = check.run_one_weave(
        worker, "x" * SENT, within=20.0, delivery_timeout=check.seconds(15.0)
    )
    check.expect_error(outcome, "answered with HTTP 413 before the request was sent completely")
    if "413" not in outcome.text:
        check.fail(
            "answered with HTTP 413 before the request was sent completely, the error does not name"
            f" the status: {outcome}"
        )
    return str(outcome)
