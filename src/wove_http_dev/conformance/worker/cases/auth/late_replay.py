"""The authentication case about how long a nonce is remembered: the first request of the check is
sent again at its end."""

from __future__ import annotations

import time
from contextlib import closing

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import answers, commands, sources, tasks
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import cancelling
from wove_http_dev.conformance.worker.context import AcceptedRequest, CaseContext
from wove_http_dev.conformance.worker.wire import ConnectionClosed, HttpResponse, NoAnswer

OTHERS, OTHERS_TIME = 600, 2.0
"""The least number of other requests between a request and its late replay, and the seconds after
which no more of them are sent."""
SHARED = 20
"""How many of them share a connection, if the service keeps it open, because a TLS handshake costs
more than a request. All on one would reach only one process of the service."""
LATE = 1.1
"""The least number of seconds between a request and its late replay."""


@auth.must(
    "24",
    sources.SECURITY,
    scenario=f"the first signed request of this check again, after {OTHERS} others and {LATE:g} s,"
    " or as many as the other cases have sent",
    expected="the replay is refused and not run",
    alone=True,
)
def replay_late(check: CaseContext) -> str:
    """A nonce is remembered as long as its timestamp is valid, even if many requests follow."""
    check.need_mode("signed")
    first = check.session.first or _request(check)
    again = _replay(check, first)
    if again.ok and not _is_same_process(check, first):
        # A service that was started again has lost its memory: judge by a request of its own.
        first = _request(check)
        again = _replay(check, first)
    seconds = time.monotonic() - first.time
    where = f"after {_since(check, first)} other requests and {seconds:.1f} s"
    if again.ok:
        check.fail(f"a replay was accepted {where}: HTTP {again.status}")
    return f"HTTP {again.status} {where}"


def _request(check: CaseContext) -> AcceptedRequest:
    body = commands.encode(commands.run_frame(tasks.process))
    headers = check.service.credentials(body)
    answer = check.ask("a good request", body, headers)
    return AcceptedRequest(body, headers, answer, check.service.signed, time.monotonic())


def _replay(check: CaseContext, first: AcceptedRequest) -> HttpResponse:
    """Send ``first`` again, late enough and after enough other requests, and return the answer."""
    ends = time.monotonic() + check.silence(OTHERS_TIME)
    while _since(check, first) < OTHERS and time.monotonic() < ends:
        _send_others(check)
    time.sleep(max(0.0, first.time + LATE * check.session.silence - time.monotonic()))
    return check.ask("a late replay", first.body, first.headers)


def _send_others(check: CaseContext) -> None:
    """Send other requests on one connection, until the service closes it or ``SHARED`` of them have
    been answered."""
    answered = 0
    try:
        with closing(check.service.connect(check.deadline())) as connection:
            while answered < SHARED:
                body, headers = cancelling(check)
                deadline = check.deadline()
                connection.send(check.service.request(body, headers, keep=True), deadline)
                if connection.answer(deadline).closes:
                    return
                answered += 1
    except NoAnswer as exc:
        if not answered or not isinstance(exc, ConnectionClosed):
            raise CaseFailed(f"a good cancel_task: {exc}") from exc


def _since(check: CaseContext, first: AcceptedRequest) -> int:
    return check.service.signed - first.number


def _is_same_process(check: CaseContext, first: AcceptedRequest) -> bool:
    """Return whether tasks certainly run in the process that ran the task of ``first``."""
    try:
        before = answers.result_of(check.terminal_in(first.answer))
        return bool(before == check.value(tasks.process))
    except CaseFailed:
        return False
