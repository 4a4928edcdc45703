"""Limit cases about requests that are nested too deeply, too large, cut off, or abandoned by the
client, and about a hundred runs in a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import chain, repeat

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.limits import limits
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.unpickling import brief
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer, shown

DEPTH = 100_000
HEAD = 200_000
"""The size in bytes of a header that is too large."""
CLAIMED = 2**40
"""The size in bytes of a body of which only the first few are sent."""
AFTERMATH = 0.1
"""Seconds between the two tasks that the service must run after a bad request."""
HEADERS = 2500
"""The number of headers, of 8000 bytes each, in a head that is too large."""
RESULT = 8 * 2**20
"""The size in bytes of a result that does not fit into socket buffers."""
RUNS, RUNS_TIME = 100, 3.0


def survived(check: CaseContext, what: str, step: Callable[[], object]) -> str:
    """Call ``step``, which may fail, and require that the service still runs tasks afterwards.
    Return a text about what was seen. ``what`` describes the step in messages."""
    try:
        seen = str(step() or "done")
    except (NoAnswer, OSError) as exc:
        seen = str(exc)
    check.still_serves(what)
    # A service may fail only after it has answered the first task.
    time.sleep(check.silence(AFTERMATH))
    check.still_serves(what)
    return seen


@limits.must(
    "01",
    sources.CWE_EXHAUSTION,
    scenario=f"JSON nested {DEPTH} levels deep, with good credentials",
    expected="an error status; the service keeps serving",
    alone=True,
)
def deep_json(check: CaseContext) -> str:
    """JSON that is nested too deeply is rejected, and the service keeps serving."""
    body = b'{"type":' + b"[" * DEPTH + b"]" * DEPTH + b"}"
    answer = check.ask("deeply nested JSON", body)
    if answer.status < 400:
        check.fail(f"deeply nested JSON was answered with {answer.shown()}")
    check.still_serves("deeply nested JSON")
    return f"HTTP {answer.status}"


@limits.must(
    "02",
    "RFC 6585, 5 (431)",
    scenario=f"a header of {HEAD} bytes",
    expected="any answer, or none; the service keeps serving",
)
def large_head(check: CaseContext) -> str:
    """A very large request head does not stop the service."""

    def step() -> object:
        answer = check.post(b"{}", {"X-Conformance": "x" * HEAD})
        return f"HTTP {answer.status}"

    return survived(check, "an oversized request head", step)


@limits.should(
    "14",
    sources.CWE_EXHAUSTION,
    scenario=f"{HEADERS} headers of 8000 bytes, and one header of as many bytes as these together,"
    " without credentials, each until the service answers",
    expected="an error status for a head that is too large (431, 400, 413), or the connection is"
    " closed before the head has ended",
    alone=True,
)
def head_has_a_limit(check: CaseContext) -> str:
    """The head of a request has a limit, because it takes memory before the credentials are
    looked at."""
    line = b"x" * 8000
    many = (b"X-Conformance-%d: %b\r\n" % (number, line) for number in range(HEADERS))
    one = chain([b"X-Conformance: "], repeat(line, HEADERS), [b"\r\n"])
    seen = []
    for what, headers in (("a head", many), ("a header", one)):
        what = f"{what} of {8 * HEADERS // 1000} MB"
        try:
            answer = _with_headers(check, headers)
        except NoAnswer as exc:
            if exc.late:
                raise CaseFailed(f"{what}: {exc}") from exc
            seen.append("closed")
            continue
        if answer.status not in (400, 413, 414, 431):
            check.fail(f"{what} was not refused as too large: {answer.shown()}")
        seen.append(f"HTTP {answer.status}")
    return ", ".join(dict.fromkeys(seen))


def _with_headers(check: CaseContext, headers: Iterable[bytes]) -> HttpResponse:
    """Send a request with ``headers``, the pieces of further lines of its head, until the service
    answers or closes the connection, which most do long before the last one. Return the answer."""
    begins, _, body = check.service.request(b"{}", {}).partition(b"\r\n\r\n")
    deadline = check.deadline()
    with closing(check.service.connect(deadline)) as connection:
        head = chain([begins + b"\r\n"], headers, [b"\r\n" + body])
        connection.send_until_answered(head, deadline)
        return connection.answer(deadline)


@limits.must(
    "03",
    f"{sources.HTTP1}, 8",
    scenario="a request without the last 40 bytes, then the connection is closed",
    expected="the task does not run; the service keeps serving",
)
def cut_off_request(check: CaseContext) -> str:
    """A request that ends before its body is complete is not run."""
    callback = check.callback_if_possible()
    function = tasks.report_back if callback is not None else tasks.nothing
    body = commands.encode(commands.run_frame(function, callback.address if callback else {}))
    request = check.service.request(body, check.service.credentials(body))

    def step() -> None:
        deadline = check.deadline()
        connection = check.service.connect(deadline)
        connection.send(request[:-40], deadline)
        connection.close()

    survived(check, "a request that was cut off", step)
    if callback is not None and callback.counted():
        check.fail("a request that was cut off in the middle ran")
    return "not run"


@limits.must(
    "11",
    f"{sources.CWE_EXHAUSTION}; {sources.HTTP}, 15.5.14 (413)",
    scenario=f"a request whose Content-Length is {CLAIMED >> 40} TiB, of which a few bytes come;"
    " then the connection is closed",
    expected="any answer, or none; the service keeps serving",
)
def huge_content_length(check: CaseContext) -> str:
    """A request that only claims to be very large does not stop the service, and takes no
    memory."""

    def step() -> object:
        headers = {**check.service.credentials(b"{}"), "Content-Length": str(CLAIMED)}
        deadline = check.deadline()
        connection = check.service.connect(deadline)
        connection.send(check.service.request(b"{}", headers), deadline)
        connection.close()
        return "sent"

    return survived(check, f"a request that claims to have {CLAIMED >> 40} TiB", step)


@limits.must(
    "04",
    f"{sources.EXECUTOR}: at a timeout it closes the connection",
    scenario="a run_task whose client disconnects while the task runs, and one whose client resets"
    f" the connection while it receives a result of {RESULT >> 20} MiB",
    expected="the service keeps serving",
)
def client_gone(check: CaseContext) -> str:
    """A client that disconnects during its run or its answer does not stop the service."""
    survived(check, "a client that reset its connection in the middle of an answer", _reset(check))
    callback = check.callback()
    body = commands.encode(commands.run_frame(tasks.hold, callback.address))
    request = check.service.request(body, check.service.credentials(body))

    def step() -> None:
        deadline = check.deadline()
        connection = check.service.connect(deadline)
        connection.send(request, deadline)
        started = callback.arrived(check.patience)
        connection.close()
        callback.release()
        if not started:
            raise CaseFailed("a task that waits did not start in time", late=True)

    return survived(check, "a client that disconnected", step)


def _reset(check: CaseContext) -> Callable[[], object]:
    def step() -> object:
        body = commands.encode(commands.run_frame(tasks.large, {"size": RESULT}))
        deadline = check.deadline()
        connection = check.service.connect(deadline)
        try:
            connection.send(check.service.request(body, check.service.credentials(body)), deadline)
            return shown(connection.begun(deadline), 12)
        finally:
            connection.reset()

    return step


@limits.must(
    "05",
    sources.CONTRACT,
    scenario=f"{RUNS} tasks, one after the other (fewer, if they take more than {RUNS_TIME:g} s)",
    expected="as many results",
)
def many_runs(check: CaseContext) -> str:
    """The hundredth run is served like the first."""
    limit = check.seconds(RUNS_TIME)
    ends = time.monotonic() + limit
    for number in range(RUNS):
        if time.monotonic() > ends:
            return f"{number} results in {limit:g} s"
        try:
            value = check.value(tasks.echo, {"value": number})
        except CaseFailed as exc:
            raise CaseFailed(f"run {number + 1} of {RUNS}: {exc.actual}") from exc
        if value != number:
            check.fail(f"run {number + 1} of {RUNS} got a wrong result: {brief(value)}")
    return f"{RUNS} results"
