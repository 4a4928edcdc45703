"""Authentication cases about the order of verification: the service checks all credentials of a
request before it uses the body, and a nonce stays used even if the task fails or is cancelled."""

from __future__ import annotations

import secrets
import time

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.callbacks import Callback
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    LOADED,
    REFUSAL,
    Attempt,
    canary,
    probe,
    refused,
    require_refusal,
    signed,
)
from wove_http_dev.conformance.worker.cases.auth.replay import OUTSIDE
from wove_http_dev.conformance.worker.client import NONCE
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import NoAnswer


@auth.must(
    "28",
    f"{sources.VERIFY_FIRST}; {sources.PYTHON}",
    scenario="requests with a pickle that connects to the checker when it is loaded, with a right"
    f" signature: one with a timestamp {OUTSIDE} s old, and one sent a second time",
    expected="the old request and the replay are not loaded",
)
def verify_all_before_unpickling(check: CaseContext) -> str:
    """Timestamp and nonce, too, are verified before anything is unpickled."""
    check.need_mode("signed")
    old = canary(check)
    stamp = str(int(time.time() - OUTSIDE))
    headers = check.service.credentials(old.body, timestamp=stamp)
    refused = check.ask("an old request", old.body, headers)
    good = canary(check)
    headers = check.service.credentials(good.body)
    check.ask("a good request", good.body, headers)
    if not good.was_loaded():
        raise NotApplicable(
            "the pickle of a good request did not report when it was loaded", needs=["run.01"]
        )
    loads = good.callback.count
    answer = check.ask("a replayed request", good.body, headers)
    loaded_again = good.was_loaded(loads + 1)
    if old.has_loaded():
        check.fail(
            f"a request signed {OUTSIDE} s ago was unpickled before its timestamp was checked"
            f" (the answer: HTTP {refused.status})"
        )
    if loaded_again:
        check.fail(
            "a replayed request was unpickled before its nonce was checked (the answer: HTTP"
            f" {answer.status})"
        )
    return "not unpickled"


@auth.must(
    "29",
    sources.SECURITY,
    scenario="signed requests, each sent twice: for a task that fails, for one that is cancelled",
    expected="the second request is refused and not run",
)
def replay_of_a_failure(check: CaseContext) -> str:
    """A signed request is accepted only once, even if its task failed or was cancelled."""
    check.need_mode("signed")
    callback = check.callback()
    body = commands.encode(commands.run_frame(tasks.report_and_fail, callback.address))
    headers = check.service.credentials(body)
    check.ask("a task that fails", body, headers)
    if not callback.arrived(check.patience):
        raise NotApplicable("a task that reports and fails did not report", needs=["run.10"])
    seen = _not_again(check, "whose task had failed", body, headers, callback)
    callback = check.callback()
    frame = commands.run_frame(tasks.hold_async, callback.address)
    body = commands.encode(frame)
    headers = check.service.credentials(body)
    run = check.later(body, headers)
    if not callback.arrived(check.patience):
        raise NotApplicable("a task that waits did not start", needs=["run.02"])
    check.ask("a cancel_task", commands.encode(commands.cancel_frame(frame["run_id"])))
    callback.release()
    try:
        run.result(check.patience)
    except NoAnswer as exc:
        raise CaseFailed(f"the run_task POST of a cancelled run: {exc}") from exc
    _not_again(check, "whose run had been cancelled", body, headers, callback)
    return seen


def _not_again(
    check: CaseContext, which: str, body: bytes, headers: dict[str, str], callback: Callback
) -> str:
    count = callback.count
    again = check.later(body, headers)
    ran = callback.arrived(check.silence(LOADED), count + 1)
    callback.release()
    try:
        answer = again.result(check.patience)
    except NoAnswer as exc:
        require_refusal(f"a replay of a request {which}", exc)
        seen = str(exc)
    else:
        seen = f"HTTP {answer.status}"
        if answer.ok:
            check.fail(f"a replay of a request {which} was accepted: {seen}")
    if ran or callback.count > count:
        check.fail(f"a replay of a request {which} ran again ({seen})")
    return seen


@auth.must(
    "30",
    sources.SECURITY,
    scenario="a signed request, and replays with a second X-Wove-Nonce before or after its own",
    expected="the first is accepted, the replays are refused",
)
def replay_with_two_nonces(check: CaseContext) -> str:
    """If several nonces are sent, the one that is remembered is the one that the signature
    covers."""
    check.need_mode("signed")
    sent, headers = signed(check)
    check.ask("a good request", sent.body, headers)
    count = sent.times(check.patience)
    more = {NONCE.lower(): secrets.token_urlsafe(18)}
    for where, both in (("after", {**headers, **more}), ("before", {**more, **headers})):
        try:
            answer = check.post(sent.body, both)
        except NoAnswer as exc:
            require_refusal("a replay with two nonces", exc)
            continue
        if answer.ok or sent.times(at_least=count + 1) > count:
            check.fail(
                f"a replay was accepted because it had one more X-Wove-Nonce {where} its own:"
                f" HTTP {answer.status}"
            )
    return "refused"


@auth.must(
    "31",
    sources.SECURITY,
    scenario="a valid request, then one with wrong credentials, on one connection if it stays open",
    expected=f"for the second request {REFUSAL}",
)
def each_request_verified(check: CaseContext) -> str:
    """Every request on a connection is verified, not only the first."""
    check.need_mode("signed", "bearer")
    service, deadline = check.service, check.deadline()
    connection = service.connect(deadline)
    good = commands.encode(commands.run_frame(tasks.nothing))
    sent = probe(check)
    wrong = {name: f"x{value}" for name, value in service.credentials(sent.body).items()}
    try:
        connection.send(service.request(good, service.credentials(good), keep=True), deadline)
        first = connection.answer(deadline)
        if first.closes:
            return "the connection is not kept"
        connection.send(service.request(sent.body, wrong, keep=True), deadline)
        second = connection.answer(deadline)
    except NoAnswer as exc:
        return refused(check, Attempt(f"wrong credentials ({exc})", sent, wrong))
    finally:
        connection.close()
    if second.ok or sent.ran():
        check.fail(
            "after a good request on a connection, one with wrong credentials was accepted on it:"
            f" HTTP {second.status}"
        )
    return f"HTTP {second.status}"
