"""Requests for a task that returns its argument, in parts that a case can change, and whether the
answer has the right result."""

from __future__ import annotations

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import answers, commands, tasks
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer

SIZES = {"small": 10, "large": 300_000}
"""Bytes of argument: small enough for one segment, and too large for one read."""


def echo(size: int = SIZES["small"]) -> tuple[bytes, bytes]:
    """Return the value that a task gets and returns, and the body of its run_task."""
    value = bytes(range(256)) * (size // 256) + b"the end"
    return value, commands.encode(commands.run_frame(tasks.echo, {"value": value}))


def require(check: CaseContext, what: str, answer: HttpResponse, value: bytes) -> None:
    """Fail the case unless ``answer`` has the result ``value``."""
    if answers.result_of(check.terminal_in(answer, what)) != value:
        check.fail(f"{what} was answered with another result")


def exchanged(check: CaseContext, what: str, *pieces: bytes) -> HttpResponse:
    """Send ``pieces`` on a new connection and return the answer. The case fails if none comes; the
    message calls the request ``what``."""
    try:
        return check.service.exchange(b"".join(pieces), check.deadline())
    except NoAnswer as exc:
        raise CaseFailed(f"{what}: {exc}") from exc


def parts(request: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return the first line of ``request``, its headers, and its body."""
    head, _, body = request.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    pairs = [(name, value) for name, _, value in (each.partition(": ") for each in lines)]
    return line, pairs, body


def joined(line: str, headers: list[str], body: bytes) -> bytes:
    """Return the request of which these are the first line, the headers and the body."""
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1") + body
