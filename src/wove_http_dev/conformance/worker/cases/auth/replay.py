"""Authentication cases about replays (a signed request sent again) and timestamps: a signed request
is accepted only once, and only near the time at which it was signed."""

from __future__ import annotations

import secrets
import time
from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import commands, sources
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    NO_REFUSAL,
    REFUSAL,
    Attempt,
    Attempts,
    Probe,
    refuses,
    require_refusal,
    signed,
)
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import (
    Background,
    Connection,
    Deadline,
    HttpResponse,
    NoAnswer,
)

DAY = 86400.0
"""A difference of clocks, in seconds, far beyond any that is sensible to accept (Wove's own default
is 300 s)."""
INSIDE, OUTSIDE = 60, 1800
"""A difference of clocks, in seconds, that must be accepted, and one that must be refused (Wove's
own default limit is 300 s)."""
COPIES = 6
OTHERS, OTHERS_TIME = 600, 2.0
"""The number of other requests between a request and its late replay, and the seconds after which
no more of them are sent."""
LATE = 1.1
"""The least number of seconds between a request and its late replay."""


@auth.must(
    "11",
    sources.SECURITY,
    scenario="the same signed request twice, on one connection if the service keeps it open",
    expected="the first is accepted, the second refused and not run",
)
def replay_same_connection(check: CaseContext) -> str:
    """A signed request is accepted only once: a replay on the same connection is refused."""
    check.need_mode("signed")
    sent, headers = signed(check)
    request = check.service.request(sent.body, headers, keep=True)
    deadline = check.deadline()
    connection = check.service.connect(deadline)
    try:
        connection.send(request, deadline)
        first = _first_answer(connection, deadline)
        if first.closes:
            return _again(check, 1)
        connection.send(request, deadline)
        try:
            second = connection.answer(deadline)
        except NoAnswer as exc:
            require_refusal("a replayed request", exc)
            return f"HTTP {first.status}, then {exc}"
    finally:
        connection.close()
    _refused_again(check, "a replayed request", "on the same connection", sent, second)
    return f"HTTP {first.status}, then HTTP {second.status}"


def _refused_again(
    check: CaseContext, what: str, where: str, sent: Probe, answer: HttpResponse
) -> None:
    """Require that ``answer``, the answer to a replay of ``sent``, is a refusal, and that the task
    did not run again. ``what`` and ``where`` describe the replay in the message."""
    _require_refused(check, what, where, sent, answer)
    _require_one_run(check, what, where, sent, answer)


def _require_refused(
    check: CaseContext, what: str, where: str, sent: Probe, answer: HttpResponse
) -> None:
    status = f"HTTP {answer.status}"
    if answer.ok:
        if sent.callback is not None and sent.times(at_least=2) < 2:
            check.fail(f"{what} was answered {status} {where}, {NO_REFUSAL}")
        check.fail(f"{what} was accepted {where}: {status}")


def _require_one_run(
    check: CaseContext, what: str, where: str, sent: Probe, answer: HttpResponse
) -> None:
    ran = sent.times(at_least=2)
    if ran > 1 and ran > _times_alone(check):
        status = f"HTTP {answer.status}"
        check.fail(f"{what} was refused {where} ({status}), and yet the task ran again")


def _times_alone(check: CaseContext) -> int:
    """Return how often a single valid request runs its task. More than once is a defect, which the
    case run.09 reports."""
    sent, headers = signed(check)
    check.ask("a good request", sent.body, headers)
    return sent.times(at_least=2)


def _first_answer(connection: Connection, deadline: Deadline) -> HttpResponse:
    try:
        return connection.answer(deadline)
    except NoAnswer as exc:
        raise CaseFailed(f"a good request that keeps the connection: {exc}") from exc


def _again(check: CaseContext, times: int) -> str:
    sent, headers = signed(check)
    first = check.ask("a good request", sent.body, headers)
    what, again = "a replayed request", first
    for number in range(1, times + 1):
        try:
            again = check.post(sent.body, headers)
        except NoAnswer as exc:
            require_refusal(what, exc)
            continue
        where = f"on another connection (replay {number} of {times})"
        _require_refused(check, what, where, sent, again)
    _require_one_run(check, what, f"on another connection ({times} times)", sent, again)
    return f"HTTP {first.status}, then refused"


@auth.must(
    "12",
    sources.SECURITY,
    scenario=f"the same signed request, then {COPIES} times more, each on a new connection",
    expected="the first is accepted, the others refused and not run",
)
def replay_other_connections(check: CaseContext) -> str:
    """A replay is refused on every connection, and therefore by every process of the service."""
    check.need_mode("signed")
    return _again(check, COPIES)


@auth.must(
    "13",
    sources.SECURITY,
    scenario=f"{COPIES} copies of one signed request at the same time",
    expected="exactly one is accepted",
)
def replay_race(check: CaseContext) -> str:
    """If copies of one signed request arrive at the same time, only one is accepted."""
    check.need_mode("signed")
    sent, headers = signed(check)

    def post() -> HttpResponse:
        return check.post(sent.body, headers)

    copies = [Background(post) for _ in range(COPIES)]
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
    if accepted > 1 or (ran > 1 and ran > _times_alone(check)):
        how = f"{accepted} {'was' if accepted == 1 else 'were'} accepted"
        check.fail(f"of {COPIES} copies of one request, {how}, and the task ran {ran} times")
    if not accepted:
        raise CaseFailed(f"of {COPIES} copies of one valid request, none was accepted")
    return "one accepted"


@auth.must(
    "14",
    sources.SECURITY,
    scenario="a request signed with a timestamp of a day ago",
    expected=REFUSAL,
)
@refuses("signed")
def expired_timestamp(check: CaseContext) -> Attempts:
    """A timestamp behind the clock-skew window is refused."""
    stamp = str(int(time.time() - DAY))
    yield Attempt("an expired timestamp (a day old)", *signed(check, timestamp=stamp))


@auth.must(
    "15",
    sources.SECURITY,
    scenario="a request signed with a timestamp one day ahead",
    expected=REFUSAL,
)
@refuses("signed")
def future_timestamp(check: CaseContext) -> Attempts:
    """A timestamp ahead of the clock-skew window is refused."""
    stamp = str(int(time.time() + DAY))
    yield Attempt("a future timestamp (a day ahead)", *signed(check, timestamp=stamp))


# Wove's own verify_headers (2.0.3) accepts nan, but only a client with the secret can sign it.
@auth.should(
    "16",
    f"{sources.SECURITY}; NaN is in no window",
    scenario="requests signed with the timestamps nan, -nan, inf, -inf and 1e400",
    expected=REFUSAL,
)
@refuses("signed")
def endless_timestamp(check: CaseContext) -> Attempts:
    """A timestamp that is not a finite number is refused, because it would never expire."""
    for stamp in ("nan", "-nan", "NaN", "inf", "-inf", "1e400"):
        yield Attempt(f"the timestamp {stamp!r}", *signed(check, timestamp=stamp))


@auth.must(
    "17",
    sources.SECURITY,
    scenario="requests signed with timestamps that are not numbers",
    expected=f"{REFUSAL}; the service keeps serving",
)
@refuses("signed")
def malformed_timestamp(check: CaseContext) -> Attempts:
    """A timestamp that is not a number is refused."""
    for stamp in ("yesterday", "1,5", "0x10", "9" * 400):
        yield Attempt(f"the timestamp {stamp[:12]!r}", *signed(check, timestamp=stamp))
    check.still_serves("malformed timestamps")


def _cancelling(check: CaseContext, **changes: Any) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a request that costs the service little: a cancel_task for
    an unknown run. ``changes`` are passed to :meth:`ServiceUnderTest.credentials`."""
    body = commands.encode(commands.cancel_frame("conformance:replay"))
    return body, check.service.credentials(body, **changes)


@auth.must(
    "24",
    sources.SECURITY,
    scenario=f"a signed request, {OTHERS} others, and after {LATE:g} s the first one again",
    expected="the replay is refused and not run",
)
def replay_late(check: CaseContext) -> str:
    """A nonce is remembered as long as its timestamp is valid, even if many requests follow."""
    check.need_mode("signed")
    sent, headers = signed(check)
    check.ask("a good request", sent.body, headers)
    late = time.monotonic() + LATE * check.session.silence
    others, ends = 0, time.monotonic() + check.seconds(OTHERS_TIME)
    while others < OTHERS and time.monotonic() < ends:
        check.ask("a good cancel_task", *_cancelling(check))
        others += 1
    time.sleep(max(0.0, late - time.monotonic()))
    again = check.ask("a late replay", sent.body, headers)
    where = f"after {others} other requests and {LATE:g} s"
    _refused_again(check, "a replay", where, sent, again)
    return f"HTTP {again.status}"


@auth.must(
    "25",
    sources.SECURITY,
    scenario="the same signed cancel_task twice",
    expected="the first is accepted, the second refused",
)
def replay_cancel(check: CaseContext) -> str:
    """A signed cancel_task is accepted only once."""
    check.need_mode("signed")
    body, headers = _cancelling(check)
    check.ask("a good cancel_task", body, headers)
    again = check.ask("a replayed cancel_task", body, headers)
    if again.ok:
        check.fail(f"a replayed cancel_task was accepted: {again.shown()}")
    return f"HTTP {again.status}"


@auth.should(
    "26",
    sources.EXECUTOR,
    scenario="a request with a wrong signature, then a valid request with the same nonce",
    expected="the valid request is accepted",
)
def nonce_not_burnt(check: CaseContext) -> str:
    """A request with a wrong signature does not use up its nonce; otherwise anyone could block a
    client's requests."""
    check.need_mode("signed")
    nonce = secrets.token_urlsafe(18)
    check.ask("a wrong signature", *_cancelling(check, nonce=nonce, secret=b"another secret"))
    answer = check.ask("a good request", *_cancelling(check, nonce=nonce))
    if answer.status in (401, 403):
        check.fail(
            "a valid request was refused, because a request with a wrong signature had used the"
            f" same nonce before: {answer.shown()}"
        )
    return f"HTTP {answer.status}"


@auth.should(
    "27",
    f"{sources.EXECUTOR} (clock_skew_seconds is 300 unless set)",
    scenario=f"requests with timestamps {INSIDE} s and {OUTSIDE} s behind and ahead",
    expected=f"those within {INSIDE} s are accepted, the others refused",
)
def clock_window(check: CaseContext) -> str:
    """Clocks may differ by minutes in either direction, but not by half an hour."""
    check.need_mode("signed")
    wrong = []
    for seconds in (-INSIDE, INSIDE, -OUTSIDE, OUTSIDE):
        stamp = str(int(time.time() + seconds))
        answer = check.ask("a timestamp", *_cancelling(check, timestamp=stamp))
        where = f"a timestamp {abs(seconds)} s {'behind' if seconds < 0 else 'ahead'}"
        if abs(seconds) == INSIDE and answer.status in (401, 403):
            wrong.append(f"{where} was refused")
        elif abs(seconds) == OUTSIDE and answer.ok:
            wrong.append(f"{where} was accepted")
    if wrong:
        check.fail("; ".join(wrong))
    return "accepted within the window only"
