"""Authentication cases about replays that arrive while the first request is verified, or while its
task runs."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from dataclasses import replace

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import probe
from wove_http_dev.conformance.worker.cases.auth.replay import COPIES, times_alone
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import (
    Connection,
    HttpResponse,
    NoAnswer,
)

RACING = 2**16
"""The bytes of the body of requests that arrive at the same time."""
GATHERED = 0.2
"""Seconds, on an idle machine, to wait until all of them could be sent but for the last byte."""
DURING = 3
"""How many copies of a request are sent while its task runs."""
WAITING = 0.15
"""Seconds, on an idle machine, to wait for the answers of these copies before the task may end."""
POLL = 0.005
"""Seconds between two looks at whether they have been answered."""


@auth.must(
    "13",
    sources.SECURITY,
    scenario=f"{COPIES} copies of one signed request, whose last bytes arrive at the same time",
    expected="exactly one is accepted",
)
def replay_race(check: CaseContext) -> str:
    """If copies of one signed request arrive at the same time, only one is accepted."""
    check.need_mode("signed")
    sent = probe(check)
    sent = replace(sent, body=sent.body.ljust(RACING))  # hashing it takes a moment
    copies = _at_once(check, check.service.request(sent.body, check.service.credentials(sent.body)))
    accepted = 0
    for copy in copies:
        try:
            accepted += copy.result(check.patience + 1).ok
        except NoAnswer:
            continue
    ran = sent.times(at_least=accepted) if sent.callback is not None else accepted
    if accepted > 1 >= ran:
        check.fail(
            f"of {COPIES} copies of one request, {accepted} were answered with a 2xx status, though"
            " the task ran once: a refusal needs 401 or 403"
        )
    if accepted > 1 or (ran > 1 and ran > times_alone(check)):
        how = f"{accepted} {'was' if accepted == 1 else 'were'} accepted"
        check.fail(f"of {COPIES} copies of one request, {how}, and the task ran {ran} times")
    if not accepted:
        raise CaseFailed(f"of {COPIES} copies of one valid request, none was accepted")
    return "one accepted"


def _at_once(check: CaseContext, request: bytes) -> list[Background[HttpResponse]]:
    """Send ``request`` on several connections, but its last byte on none before it could be sent on
    all, if the service reads several requests at a time. Return the background calls whose results
    are the answers."""
    begun: queue.SimpleQueue[Connection] = queue.SimpleQueue()
    together: list[Connection] = []
    end = threading.Event()

    def post() -> HttpResponse:
        deadline = check.deadline()
        connection = check.service.connect(deadline)
        try:
            connection.send(request[:-1], deadline)
            begun.put(connection)
            end.wait(check.patience)
            if connection not in together:
                connection.send(request[-1:], deadline)
            return connection.answer(deadline)
        finally:
            connection.close()

    copies = [Background(post) for _ in range(COPIES)]
    ends = time.monotonic() + check.silence(GATHERED)
    with contextlib.suppress(queue.Empty):
        while len(together) < COPIES:
            together.append(begun.get(timeout=max(0.0, ends - time.monotonic())))
    for connection in together:
        connection.send(request[-1:], check.deadline())
    end.set()
    return copies


@auth.must(
    "39",
    sources.SECURITY,
    scenario=f"a signed request for a task that waits, and {DURING} copies of it at the same time"
    " while the task runs",
    expected="the copies are refused and not run",
)
def replay_during_the_run(check: CaseContext) -> str:
    """A nonce is used from the moment its request was verified, not only when its task has
    ended."""
    check.need_mode("signed")
    callback = check.callback()
    body = commands.encode(commands.run_frame(tasks.hold, callback.address))
    headers = check.service.credentials(body)
    first = check.later(body, headers)
    if not callback.arrived(check.patience):
        raise NotApplicable("a task that waits did not start", needs=["run.01"])
    copies = [check.later(body, headers) for _ in range(DURING)]
    ends = time.monotonic() + check.silence(WAITING)
    # A service that runs one task at a time answers the copies after the first has ended.
    while not all(copy.done() for copy in copies) and time.monotonic() < ends:
        if callback.arrived(POLL, 2):
            break
    callback.release()
    for run in (first, *copies):
        with contextlib.suppress(NoAnswer):
            answer = run.result(check.patience)
            if run is not first and answer.ok:
                check.fail(
                    "a replay of a request was accepted while the task of the first one ran: HTTP"
                    f" {answer.status}"
                )
    if callback.counted() > 1:
        check.fail("a replay of a request was run while the task of the first one ran")
    return "refused"
