"""Authentication cases about the ways in which a command can arrive: each of them needs
credentials."""

from __future__ import annotations

import base64
import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.callbacks import Callback
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    Attempt,
    Attempts,
    probe,
    refuses,
    require_refusal,
)
from wove_http_dev.conformance.worker.cases.auth.targets import elsewhere, respelled, with_query
from wove_http_dev.conformance.worker.client import KEY, NONCE, SIGNATURE, TIMESTAMP
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer

AFTERMATH = 0.3
"""Seconds after an answer within which a task would end if it had been cancelled."""
METHODS = ("PUT", "PATCH", "DELETE", "GET", "OPTIONS", "QUERY", "RUN")
DAY = 86400


@auth.must(
    "38",
    sources.SECURITY,
    scenario="run_task frames without credentials: with other methods, to other paths of the"
    " service, to its own path written differently, with HTTP/1.0, on a connection that stays open,"
    " compressed, as base64, inside other JSON, and with another type",
    expected="the tasks do not run",
)
@refuses("signed", "bearer")
def every_way_in(check: CaseContext) -> Attempts:
    """No task runs without credentials, whatever the method and the path."""
    for method in METHODS:
        what = f"a {method} without credentials"
        yield Attempt(what, probe(check), {}, method=method, elsewhere=True)
    for target in (*respelled(check), *elsewhere(check)):
        what = f"a request to {target!r} without credentials"
        yield Attempt(what, probe(check), {}, target, elsewhere=True)
    for what, change in _FORMS.items():
        sent = probe(check)
        sent = replace(sent, body=change(sent.body))
        headers = {"Content-Encoding": "gzip"} if what == "compressed" else {}
        what = f"a frame that is {what}, without credentials,"
        yield Attempt(what, sent, headers, elsewhere=True)
    sent = probe(check)
    request = check.service.request(sent.body, {}, keep=True)
    what = "a request without credentials that keeps the connection"
    yield Attempt(what, sent, {}, request=request)
    sent = probe(check)
    request = check.service.request(sent.body, {}).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    yield Attempt("an HTTP/1.0 request without credentials", sent, {}, request=request)


_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "compressed": gzip.compress,
    "in a list": lambda body: b"[%b]" % body,
    "in an object": lambda body: b'{"frame":%b,"frames":[%b],"command":%b}' % (body, body, body),
    "base64": base64.b64encode,
    "of type RUN_TASK": lambda body: body.replace(b'"run_task"', b'"RUN_TASK"'),
    "of two types": lambda body: b'{"type":"ping",' + body[1:],
}
"""Other forms of a body that a service may read as a frame."""


@dataclass(frozen=True)
class _Cancel:
    """A cancel_task that must be refused. ``what`` names it in messages."""

    what: str
    body: bytes
    headers: dict[str, str]
    target: str | None = None
    method: str = "POST"


@auth.must(
    "10",
    sources.SECURITY,
    scenario="cancel_tasks for a running task: without credentials, with wrong, incomplete, old and"
    " future ones, with ones for another run or target, by PUT and DELETE",
    expected="a refusal; the task runs to its end",
)
def cancel_needs_credentials(check: CaseContext) -> str:
    """A cancel_task needs valid credentials, like a run_task."""
    check.need_mode("signed", "bearer")
    callback = check.callback()
    frame = commands.run_frame(tasks.hold_async, callback.address)
    run = check.post_later(frame)
    if not callback.arrived(check.patience):
        raise NotApplicable("a task that waits did not start", needs=["run.02"])
    for attempt in _cancels(check, frame["run_id"]):
        seen = _require_runs_on(check, attempt, callback)
    callback.release()
    try:
        run.result(check.patience)
    except NoAnswer as exc:
        raise CaseFailed(f"after a refused cancel_task the run was not answered: {exc}") from exc
    return seen


def _require_runs_on(check: CaseContext, attempt: _Cancel, callback: Callback) -> str:
    """Send ``attempt``, and require that it is refused and that the task of ``callback`` runs on.
    Return what the service did."""
    what, service = f"a cancel_task {attempt.what}", check.service
    request = service.request(
        attempt.body, attempt.headers, target=attempt.target, method=attempt.method
    )
    answer: HttpResponse | None = None
    try:
        answer = service.exchange(request, check.deadline(), attempt.method)
        seen = f"HTTP {answer.status}"
    except NoAnswer as exc:
        require_refusal(what, exc)
        seen = str(exc)
    if answer is not None and answer.ok and attempt.method == "POST":
        if callback.ended(check.silence(AFTERMATH)):
            check.fail(f"{what} was accepted ({seen})")
        check.fail(
            f"{what} was answered {seen}, though the task still runs: a refusal needs 401 or 403"
        )
    if not callback.alive():
        check.fail(f"{what} was answered {seen}, yet the task stopped")
    return seen


def _cancels(check: CaseContext, run_id: str) -> Iterator[_Cancel]:
    body = commands.encode(commands.cancel_frame(run_id))
    yield _Cancel("without credentials", body, {})
    for method in ("PUT", "DELETE"):
        yield _Cancel(f"by {method} without credentials", body, {}, method=method)
    hard = commands.encode(commands.cancel_frame(run_id, "require_ack"))
    yield _Cancel("(require_ack) without credentials", hard, {})
    unknown = commands.encode(commands.cancel_frame("conformance:unknown"))
    yield _Cancel("for an unknown run, without credentials,", unknown, {})
    if check.service.mode == "bearer":
        token = check.service.bearer
        for what, value in (
            ("with a wrong bearer token", "Bearer wrong"),
            ("with an empty bearer token", "Bearer "),
            ("with the token and one character more", f"Bearer {token}x"),
            ("with the token without a scheme", token),
        ):
            yield _Cancel(what, body, {"Authorization": value})
    else:
        yield from _wrongly_signed(check, body)


def _wrongly_signed(check: CaseContext, body: bytes) -> Iterator[_Cancel]:
    sign = check.service.credentials
    now = int(time.time())
    for what, changes in _CHANGES.items():
        yield _Cancel(what, body, sign(body, **changes))
    for name in (KEY, TIMESTAMP, NONCE, SIGNATURE):
        headers = sign(body)
        del headers[name]
        yield _Cancel(f"without {name}", body, headers)
    headers = sign(body)
    yield _Cancel("with half a signature", body, {**headers, SIGNATURE: headers[SIGNATURE][:35]})
    for what, stamp in (("a day old", now - DAY), ("of tomorrow", now + DAY), ("0", 0)):
        yield _Cancel(f"with a timestamp {what}", body, sign(body, timestamp=str(stamp)))
    other = commands.encode(commands.cancel_frame("conformance:another"))
    yield _Cancel("signed for another run", body, sign(other))
    yield _Cancel("respelled after it was signed", body + b"\n", sign(body))
    yield _Cancel("signed for nothing but an empty body", body, sign(b""))
    target = with_query(check.service.target)
    yield _Cancel("with a query that is not signed", body, sign(body), target)
    if check.service.secret.isascii():
        secret = check.service.secret.decode()
        yield _Cancel(
            "with the secret as bearer token", body, {"Authorization": f"Bearer {secret}"}
        )


_CHANGES: dict[str, Any] = {
    "signed with a wrong secret": {"secret": b"another secret"},
    "signed with an empty secret": {"secret": b""},
    "signed with another key": {"key": "another-key"},
    "signed with another key and an empty secret": {"key": "another-key", "secret": b""},
    "without a nonce, signed as such": {"nonce": ""},
}
"""Changes of the credentials of a cancel_task, as arguments of ``ServiceUnderTest.credentials``."""
