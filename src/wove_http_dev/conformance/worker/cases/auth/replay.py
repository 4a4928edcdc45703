"""Authentication cases about replays: a signed request is accepted only once."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import replace

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    NO_REFUSAL,
    Attempt,
    Probe,
    cancelling,
    chunked,
    require_refusal,
    signed,
)
from wove_http_dev.conformance.worker.cases.auth.targets import with_query
from wove_http_dev.conformance.worker.client import NONCE, SIGNATURE, TIMESTAMP
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import (
    Connection,
    Deadline,
    HttpResponse,
    NoAnswer,
)

COPIES = 6
LONG_NONCE = 2000
SECOND = "127.0.0.2"
"""A second address of the loopback interface."""
NONCES = (
    *("~", "n" * LONG_NONCE, "../", "/", "'", '"', "%00", "*", "0", "-1", "None", "null"),
    *("a,b", "a b", "a;b", "a:b", "A=b&"),
)
"""The beginnings of unusual nonces; one of a single character is used as it is."""


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
    if ran > 1 and ran > times_alone(check):
        status = f"HTTP {answer.status}"
        check.fail(f"{what} was refused {where} ({status}), and yet the task ran again")


def times_alone(check: CaseContext) -> int:
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
    "40",
    sources.SECURITY,
    scenario="a signed request, one with its nonce and a wrong signature, and replays of the first"
    " that differ in what the signature does not cover: the client's address, headers of a proxy or"
    " of another client, the spelling of the signature, the method, the form of the body and of the"
    " target, HTTP/1.0; or in what it covers, with the same signature",
    expected="the replays are refused and not run",
)
def replay_in_another_form(check: CaseContext) -> str:
    """A replay is refused even if it does not look like the first request, and also after one with
    the same nonce was refused."""
    check.need_mode("signed")
    sent, headers = signed(check)
    first = check.ask("a good request", sent.body, headers)
    sent.times(check.patience)
    check.ask("a wrong signature", sent.body, {**headers, SIGNATURE: f"v1={'0' * 64}"})
    for attempt in _replays(check, sent, headers):
        try:
            answer = attempt.send(check)
        except NoAnswer as exc:
            require_refusal(attempt.what, exc)
            continue
        if not attempt.elsewhere:
            _require_refused(check, "a replay", attempt.what, sent, answer)
        # The report of a run may be later than its answer.
        elif sent.times(None if answer.ok else 0.0, 2) > 1 and sent.times() > times_alone(check):
            check.fail(f"a replay ran again {attempt.what}: HTTP {answer.status}")
    _require_one_run(check, "a replay", "in several forms", sent, first)
    return "refused"


def _replays(check: CaseContext, sent: Probe, headers: dict[str, str]) -> Iterator[Attempt]:
    """Yield replays of ``sent``, a request that was accepted with ``headers``."""
    service = check.service
    yield Attempt("as it was", sent, headers)
    for what, changed in _other_headers(headers):
        yield Attempt(f"with {what}", sent, changed)
    frame = {**json.loads(sent.body), "run_id": commands.new_run_id()}
    other = replace(sent, body=commands.encode(frame))
    yield Attempt("with the signature of the first one, for another run", other, headers)
    query = with_query(service.target)
    yield Attempt("with a query that is not signed", sent, headers, query)
    if service.loopback:  # Linux has 127.0.0.2; elsewhere there is no answer
        yield Attempt(f"from another address ({SECOND})", sent, headers, source=SECOND)
    for what, request in _other_forms(check, sent.body, headers):
        yield Attempt(f"with {what}", sent, headers, request=request)
    for method in ("PUT", "PATCH", "GET"):
        yield Attempt(f"as a {method}", sent, headers, method=method, elsewhere=True)


def _other_headers(headers: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield changes of ``headers``, each as its description and the changed headers."""
    right = headers[SIGNATURE]
    for what, text in (
        ("in upper case", f"v1={right[3:].upper()}"),
        ("with V1=", f"V1={right[3:]}"),
        ("without v1=", right[3:]),
    ):
        yield f"its signature {what}", {**headers, SIGNATURE: text}
    for name, value in (
        ("User-Agent", "another client"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Real-IP", "192.0.2.1"),
        ("X-Request-Id", "another"),
        ("Idempotency-Key", "another"),
        ("Cookie", "session=another"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("Accept", "*/*"),
        (NONCE, secrets.token_urlsafe(18)),
        (TIMESTAMP, str(int(headers[TIMESTAMP]) + 1)),
    ):
        yield f"another {name}", {**headers, name: value}
    lower = {name.lower(): value for name, value in headers.items()}
    yield "its header names in lower case", lower


def _other_forms(
    check: CaseContext, body: bytes, headers: dict[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Yield requests with the same ``body`` and ``headers``, each as what is different about it and
    its bytes."""
    service = check.service
    usual = service.request(body, headers)
    path = service.target.encode()
    host = f"Host: {service.authority}\r\n".encode()
    yield "another Host", usual.replace(host, b"Host: another.invalid\r\n", 1)
    yield "its body in chunks", chunked(check, body, headers, 64)
    yield "HTTP/1.0", usual.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    origin = f"{service.url.partition(':')[0]}://{service.authority}".encode()
    yield "the whole URL in its request line", usual.replace(path, origin + path, 1)


@auth.must(
    "25",
    sources.SECURITY,
    scenario="the same signed cancel_task twice",
    expected="the first is accepted, the second refused",
)
def replay_cancel(check: CaseContext) -> str:
    """A signed cancel_task is accepted only once."""
    check.need_mode("signed")
    body, headers = cancelling(check)
    check.ask("a good cancel_task", body, headers)
    again = check.ask("a replayed cancel_task", body, headers)
    if again.ok:
        check.fail(f"a replayed cancel_task was accepted: {again.shown()}")
    return f"HTTP {again.status}"


@auth.should(
    "26",
    sources.EXECUTOR,
    scenario="a request with a wrong signature, then a valid request with the same nonce; two valid"
    " requests with one body and two nonces; two whose nonces differ only in their first letter,"
    " and two in their last one",
    expected="the valid requests are accepted",
)
def nonce_not_burnt(check: CaseContext) -> str:
    """A request is a replay only if its nonce was used with a right signature: not if one with a
    wrong signature had it, which anyone can send, and not if only the body, or a part of the nonce,
    is the same."""
    check.need_mode("signed")
    nonce = secrets.token_urlsafe(18)
    check.ask("a wrong signature", *cancelling(check, nonce=nonce, secret=b"another secret"))
    answer = check.ask("a good request", *cancelling(check, nonce=nonce))
    if answer.status in (401, 403):
        check.fail(
            "a valid request was refused, because a request with a wrong signature had used the"
            f" same nonce before: {answer.shown()}"
        )
    body = commands.encode(commands.run_frame(tasks.nothing))
    for _ in range(2):
        answer = check.ask("a good request", body)
        if answer.status in (401, 403):
            check.fail(
                "a valid request with a new nonce was refused, because its body had been sent"
                f" before with another nonce: {answer.shown()}"
            )
    for where, form in (("first", "{1}{0}"), ("last", "{0}{1}")):
        common = secrets.token_urlsafe(18)[1:]  # with one letter more as long as those of Wove
        for letter in "AB":
            good = cancelling(check, nonce=form.format(common, letter))
            answer = check.ask("a good request", *good)
            if answer.status in (401, 403):
                check.fail(
                    f"a valid request was refused, because its nonce differs only in its {where}"
                    f" letter from one that was used before: {answer.shown()}"
                )
    return f"HTTP {answer.status}"


@auth.must(
    "44",
    sources.SECURITY,
    scenario=f"requests with a nonce of one character, of {LONG_NONCE:,}, and of characters that"
    " mean something to a file system, a database or a list, and then each of those that were"
    " accepted a second time",
    expected="the replays are refused",
)
def replay_with_any_nonce(check: CaseContext) -> str:
    """A nonce is remembered whatever its length and its characters are; one that cannot be
    remembered is refused."""
    check.need_mode("signed")
    accepted = []
    for nonce in NONCES:
        nonce += secrets.token_urlsafe(6) if len(nonce) != 1 else ""
        request = cancelling(check, nonce=nonce)
        with contextlib.suppress(NoAnswer):
            if check.post(*request).ok:
                accepted.append((nonce, request))
    for nonce, request in accepted:
        with contextlib.suppress(NoAnswer):
            if check.post(*request).ok:
                check.fail(f"a replay of a request with the nonce {nonce[:20]!r} was accepted")
    return f"{len(accepted)} of {len(NONCES)} nonces accepted, each once"
