"""Authentication cases about the order of verification: the service checks all credentials of a
request before it uses the body, and a nonce stays used even if the task fails or is cancelled."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass, replace

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, sources, tasks
from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.callbacks import Callback
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.auth.probe import (
    LOADED,
    REFUSAL,
    Attempt,
    Attempts,
    Probe,
    canary,
    probe,
    refuses,
    require_refusal,
    signed,
)
from wove_http_dev.conformance.worker.cases.auth.timestamps import OUTSIDE
from wove_http_dev.conformance.worker.client import NONCE
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import HttpResponse, NoAnswer


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
    scenario="signed requests, each sent twice: for a task that fails, for one that is cancelled,"
    " and one whose client resets the connection while the task runs",
    expected="the second request is refused and not run",
)
def replay_of_a_failure(check: CaseContext) -> str:
    """A signed request is accepted only once, even if its task failed or was cancelled, or if its
    client has gone."""
    check.need_mode("signed")
    ended = (_failed(check), _cancelled(check), _abandoned(check))
    counts = [each.callback.counted() for each in ended]
    replays = [check.later(each.body, each.headers) for each in ended]
    ends = time.monotonic() + check.silence(LOADED)
    for each, count in zip(ended, counts, strict=True):
        each.callback.arrived(max(0.0, ends - time.monotonic()), count + 1)
    for each, count, replay in zip(ended, counts, replays, strict=True):
        each.callback.release()
        seen = _refusal(check, each.which, replay)
        if each.callback.counted() > count:
            check.fail(f"a replay of a request {each.which} ran again ({seen})")
    return seen


@dataclass(frozen=True)
class _Ended:
    """A request that was accepted, and whose task has ended. ``which`` says how."""

    which: str
    body: bytes
    headers: dict[str, str]
    callback: Callback


def _failed(check: CaseContext) -> _Ended:
    callback = check.callback()
    body = commands.encode(commands.run_frame(tasks.report_and_fail, callback.address))
    headers = check.service.credentials(body)
    check.ask("a task that fails", body, headers)
    if not callback.arrived(check.patience):
        raise NotApplicable("a task that reports and fails did not report", needs=["run.10"])
    return _Ended("whose task had failed", body, headers, callback)


def _cancelled(check: CaseContext) -> _Ended:
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
    return _Ended("whose run had been cancelled", body, headers, callback)


def _abandoned(check: CaseContext) -> _Ended:
    callback, deadline = check.callback(), check.deadline()
    body = commands.encode(commands.run_frame(tasks.hold_async, callback.address))
    headers = check.service.credentials(body)
    connection = check.service.connect(deadline)
    connection.send(check.service.request(body, headers), deadline)
    started = callback.arrived(check.patience)
    connection.reset()
    if not started:
        raise NotApplicable("a task that waits did not start", needs=["run.02"])
    callback.release()
    callback.ended(check.patience)
    return _Ended("whose client had gone", body, headers, callback)


def _refusal(check: CaseContext, which: str, replay: Background[HttpResponse]) -> str:
    """Wait for the answer of ``replay``, require that it is a refusal, and return what it is."""
    try:
        answer = replay.result(check.patience)
    except NoAnswer as exc:
        require_refusal(f"a replay of a request {which}", exc)
        return str(exc)
    seen = f"HTTP {answer.status}"
    if answer.ok:
        check.fail(f"a replay of a request {which} was accepted: {seen}")
    return seen


@auth.must(
    "30",
    sources.SECURITY,
    scenario="a signed request, and replays with a second X-Wove-Nonce, also written with"
    " underscores, before or after its own",
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
    underscores = {NONCE.replace("-", "_"): secrets.token_urlsafe(18)}
    for where, both in (
        ("after", {**headers, **more}),
        ("before", {**more, **headers}),
        ("(with underscores in its name) after", {**headers, **underscores}),
        ("(with underscores in its name) before", {**underscores, **headers}),
    ):
        try:
            answer = check.post(sent.body, both)
        except NoAnswer as exc:
            require_refusal("a replay with two nonces", exc)
            continue
        if answer.ok:
            check.fail(
                f"a replay was accepted because it had one more X-Wove-Nonce {where} its own:"
                f" HTTP {answer.status}"
            )
    if sent.times(at_least=count + 1) > count:
        check.fail("a replay with one more X-Wove-Nonce was refused, and yet the task ran again")
    return "refused"


@auth.must(
    "31",
    sources.SECURITY,
    scenario="a valid request, and on the same connection one with wrong and one without"
    " credentials: after its answer if the connection stays open, and in one piece with it",
    expected=f"for the second request {REFUSAL}",
)
def each_request_verified(check: CaseContext) -> str:
    """Every request on a connection is verified, not only the first."""
    check.need_mode("signed", "bearer")
    seen = []
    for what in ("wrong", "no"):
        for together in (False, True):
            sent = probe(check)
            headers = {
                name: f"x{value}" for name, value in check.service.credentials(sent.body).items()
            }
            how = f"{what} credentials{' in one piece with it' if together else ''}"
            seen.append((Attempt(how, sent, headers if what == "wrong" else {}), together))
    answered = [(attempt, _second(check, attempt, together)) for attempt, together in seen]
    answered[-1][0].probe.ran()  # the earlier ones have had more time than this wait
    for attempt, second in answered:
        if attempt.probe.has_run() or second.startswith("HTTP 2"):
            check.fail(
                f"after a good request on a connection, one with {attempt.what} was accepted on"
                f" it: {second}"
            )
    return answered[0][1]


def _second(check: CaseContext, attempt: Attempt, together: bool) -> str:
    """Send a good request and then ``attempt`` on one connection, in one piece if ``together``.
    Return what the service did with ``attempt``."""
    service, deadline = check.service, check.deadline()
    body = commands.encode(commands.run_frame(tasks.nothing))
    good = service.request(body, service.credentials(body), keep=True)
    bad = service.request(attempt.probe.body, attempt.headers, keep=True)
    connection = service.connect(deadline)
    try:
        connection.send(good + bad if together else good, deadline)
        first = connection.answer(deadline, more=together)
        if first.closes:
            return "the connection is not kept"
        if not together:
            connection.send(bad, deadline)
        return f"HTTP {connection.answer(deadline).status}"
    except NoAnswer as exc:
        require_refusal(f"after a good request on a connection, {attempt.what}", exc)
        return str(exc)
    finally:
        connection.close()


@auth.must(
    "43",
    sources.SECURITY,
    scenario="a valid request, and then without credentials the same one, and others with its"
    " run_id, its delivery_idempotency_key, and the cookie in its answer",
    expected=REFUSAL,
)
@refuses("signed", "bearer")
def after_a_good_request(check: CaseContext) -> Attempts:
    """Nothing that a good request leaves behind stands for credentials: no run, no remembered
    answer, no session."""
    frame = commands.run_frame(tasks.nothing)
    frame["delivery"]["delivery_idempotency_key"] = secrets.token_hex(8)
    body = commands.encode(frame)
    good = check.ask("a good request", body)
    what = "a request without credentials, but with"
    yield Attempt(f"{what} the body of a good one,", Probe(body, None, 0.0), {})
    for name, holder in (("run_id", "run_id"), ("delivery_idempotency_key", "delivery")):
        sent = probe(check)
        changed = {**json.loads(sent.body), holder: frame[holder]}
        sent = replace(sent, body=commands.encode(changed))
        yield Attempt(f"{what} the {name} of a good one,", sent, {})
    values = [value for name, value in good.headers if name.lower() == "set-cookie"]
    if values:
        cookies = "; ".join(value.partition(";")[0] for value in values)
        yield Attempt(f"{what} the cookie that a good one got", probe(check), {"Cookie": cookies})
