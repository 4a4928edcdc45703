"""Limit cases: what is too much, too early gone or too often is survived, at a steady price."""

from __future__ import annotations

import time
from collections.abc import Callable

from wove_http_dev.conformance.report import MUST, Family, Fell
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.check import Check
from wove_http_dev.conformance.worker.wire import NoAnswer

limits = Family("limits")
DEPTH = 100_000
HEAD = 200_000
AFTERMATH = 0.1


def survived(check: Check, what: str, step: Callable[[], object]) -> str:
    """Do ``step``, whatever comes of it, and require that the next task runs."""
    try:
        seen = str(step() or "done")
    except (NoAnswer, OSError) as exc:
        seen = str(exc)
    check.still_serves(what)
    time.sleep(AFTERMATH)  # what a service does about it, it may do after it answered others
    check.still_serves(what)
    return seen


@limits.case(
    "01",
    "deep-json",
    MUST,
    sources.CWE_EXHAUSTION,
    sent=f"JSON nested {DEPTH} levels deep, with good credentials",
    expected="an error status; the service goes on",
)
def deep_json(check: Check) -> str:
    """JSON that is nested too deeply is rejected, and nothing falls over."""
    body = b'{"type":' + b"[" * DEPTH + b"]" * DEPTH + b"}"
    answer = check.ask("deeply nested JSON", body)
    if answer.status < 400:
        check.fell(f"deeply nested JSON was answered with {answer.shown()}")
    check.still_serves("deeply nested JSON")
    return f"HTTP {answer.status}"


@limits.case(
    "02",
    "large-head",
    MUST,
    "RFC 6585, 5 (431)",
    sent=f"a header of {HEAD} bytes",
    expected="any answer or none; the service goes on",
)
def large_head(check: Check) -> str:
    """A request head without end does not take the service down."""

    def step() -> object:
        answer = check.post(b"{}", {"X-Conformance": "x" * HEAD})
        return f"HTTP {answer.status}"

    return survived(check, "an oversized request head", step)


@limits.case(
    "03",
    "cut-off-request",
    MUST,
    f"{sources.HTTP1}, 8",
    sent="half a request, then the connection is closed",
    expected="the service goes on, and does not run it",
)
def cut_off_request(check: Check) -> str:
    """A request that ends in the middle is dropped and not run."""
    visit = check.visit_if_possible()
    function = tasks.knock if visit is not None else tasks.nothing
    body = commands.encode(commands.run_frame(function, visit.address if visit else {}))
    request = check.service.request(body, check.service.credentials(body))

    def step() -> None:
        deadline = check.deadline(2.0)
        connection = check.service.connect(deadline)
        connection.send(request[:-40], deadline)
        connection.close()

    survived(check, "a request that was cut off", step)
    if visit is not None and visit.arrived(0.0):
        check.fell("a request that was cut off in the middle ran")
    return "not run"


@limits.case(
    "04",
    "client-gone",
    MUST,
    f"{sources.EXECUTOR}: at a timeout it closes the connection",
    sent="a run_task whose client hangs up while the task runs; then the task is let end",
    expected="the service goes on",
)
def client_gone(check: Check) -> str:
    """A client that hangs up while its task runs does not hurt the service."""
    visit = check.visit()
    body = commands.encode(commands.run_frame(tasks.hold, visit.address))
    request = check.service.request(body, check.service.credentials(body))

    def step() -> None:
        deadline = check.deadline()
        connection = check.service.connect(deadline)
        connection.send(request, deadline)
        started = visit.arrived(check.patience)
        connection.close()
        visit.release()
        if not started:
            raise Fell("a task that holds on did not start")

    return survived(check, "a client that hung up", step)


@limits.case(
    "05",
    "many-runs",
    MUST,
    sources.CONTRACT,
    sent="100 tasks, one after the other",
    expected="100 results",
)
def many_runs(check: Check) -> str:
    """The hundredth run is served like the first."""
    for number in range(100):
        value = check.value(tasks.echo, {"value": number})
        if value != number:
            check.fell(f"run {number + 1} of 100 got a wrong result")
    return "100 results"
