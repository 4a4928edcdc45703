"""Security cases, credentials: each configured form is used, on every request, and stays where it
belongs; and who is on the other side is verified on every connection, not on the first alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from wove_http_dev.client import environ
from wove_http_dev.conformance.case import MUST, SHOULD, Family, NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cancelling import GIVEN_UP, NONE_ARRIVED, SENT
from wove_http_dev.conformance.executor.context import (
    PATIENCE,
    CaseContext,
    attempt,
    frames_of,
    headers_of,
    requests_of,
    until_in_loop,
)
from wove_http_dev.conformance.executor.refusals import Witness, refusal
from wove_http_dev.conformance.executor.weaving import Remote
from wove_http_dev.faults.auth import RejectAuth
from wove_http_dev.faults.connection import UntrustedCa
from wove_http_dev.faults.response import InvalidJson, Redirect, Status
from wove_http_dev.faults.wire import StallMidBody
from wove_http_dev.protocol.authenticator import TIMESTAMP
from wove_http_dev.protocol.messages import Request
from wove_http_dev.worker import HttpWorker

credentials = Family("security")
VARIABLE = "WOVE_CONFORMANCE_SECRET"
KEY = "tenant-7"
FORMS: Mapping[str, tuple[dict[str, Any], Any]] = {
    f'"env:{VARIABLE}"': ({"security": "signed"}, f"env:{VARIABLE}"),
    "signed by secret_env, with a key": (
        {"security": "signed", "key": KEY},
        {"type": "signed", "secret_env": VARIABLE, "key": KEY},
    ),
    "bearer by token_env": (
        {"security": "bearer"},
        {"type": "bearer", "token_env": VARIABLE},
    ),
}
"""The worker's options, and ``executor_config["security"]`` that fits them."""
REFUSALS = (401, 403)
STAMP_TOLERANCE = 30.0
"""Seconds between a timestamp and the arrival of what it signs."""
PAUSE = 1.6
"""Seconds after which a timestamp in whole seconds is another one."""
UNLOGGED = (RejectAuth(), Status(500), InvalidJson(), Redirect(302), StallMidBody())
"""Failures on different ways through an executor; each may be logged on its own."""


def _refused(worker: HttpWorker) -> str:
    """The first request that was not let in, in words; empty if all were."""
    for exchange in requests_of(worker):
        if not exchange.accepted:
            return f"a {exchange.frame_type or exchange.method} was refused: {refusal(exchange)}"
    return ""


@credentials.case(
    "30",
    "every-form",
    MUST,
    sources.SECURITY,
    sent=f"a run for each form of security: {'; '.join(FORMS)}",
    expected="requests that a worker with that configuration accepts",
)
def every_form(check: CaseContext) -> str:
    """Each documented form of ``security`` is understood, the key's name included."""
    for form, (options, configured) in FORMS.items():
        worker = check.worker(**options)
        with environ.variable(VARIABLE, str(worker.secret)):
            told = check.one(worker, settings={"security": configured})
        if not requests_of(worker):
            check.fail(f"with security {form} no request arrived: {told}")
        refused = _refused(worker)
        if refused or told.kind != "result":
            check.fail(f"with security {form} {refused or told}")
    return "all accepted"


@credentials.case(
    "31",
    "missing-secret",
    MUST,
    sources.SECURITY,
    sent=f'a weave with security "env:{VARIABLE}", and that variable is not set',
    expected="an error before anything is sent",
)
def missing_secret(check: CaseContext) -> str:
    """Where a secret is configured and missing, nothing goes out without it."""
    worker = check.worker()
    told = check.one(worker, settings={"security": f"env:{VARIABLE}"})
    requests = requests_of(worker)
    if requests:
        check.fail(
            f"the secret that is configured does not exist, and a {requests[0].frame_type} was sent"
            f" without it: {told}"
        )
    if told.kind == "result":
        check.fail(f"the secret that is configured does not exist, and yet: {told}")
    return str(told)


@credentials.case(
    "32",
    "after-a-refusal",
    MUST,
    sources.SECURITY,
    sent=f"runs answered with {' and '.join(map(str, REFUSALS))}, signed and with a bearer token",
    expected="no request without valid credentials afterwards",
)
def after_a_refusal(check: CaseContext) -> str:
    """Who is refused does not try with other credentials, or with none."""
    for mode in ("signed", "bearer"):
        for status in REFUSALS:
            worker = check.worker(security=mode)
            worker.inject(Status(status))
            check.one(worker, delivery_timeout=1.0)
            refused = _refused(worker)
            if refused:
                check.fail(
                    f"after an answer of {status} a request came without the configured"
                    f" credentials ({mode}): {refused}"
                )
    return "none"


def _strayed(request: Request, secret: str, mode: str) -> str:
    """Where ``secret`` stands in a request that it should not stand in; empty for nowhere."""
    if secret in request.target:
        return "the URL, which every server and proxy logs"
    if secret.encode() in request.body:
        return "the body"
    for name, value in request.headers:
        if secret in value and not (mode == "bearer" and name.lower() == "authorization"):
            return f"the header {name}"
    return ""


@credentials.case(
    "33",
    "secret-in-its-place",
    MUST,
    sources.SECURITY,
    sent="a run, signed and with a bearer token",
    expected="no signing secret in the request, and the token in its Authorization header alone",
)
def secret_in_its_place(check: CaseContext) -> str:
    """A signing secret is never sent; a token only where the worker looks for it."""
    for mode in ("signed", "bearer"):
        worker, witness = check.worker(security=mode), Witness()
        worker.inject(witness)
        check.one(worker)
        for request in witness.requests:
            where = _strayed(request, str(worker.secret), mode)
            if where:
                check.fail(f"the {mode} secret was sent in {where}")
    return "as it should be"


@credentials.case(
    "34",
    "fresh-timestamps",
    MUST,
    sources.SECURITY,
    sent=f"two runs on one executor, {PAUSE:g} s apart",
    expected="the time of each in X-Wove-Timestamp",
)
def fresh_timestamps(check: CaseContext) -> str:
    """A signature's timestamp is the time of its request."""
    worker = check.worker()

    async def script(remote: Remote) -> None:
        await attempt(remote("first"))
        await until_in_loop(lambda: False, PAUSE)
        await attempt(remote("second"))

    check.script(worker, script)
    stamps: list[float] = []
    for exchange in requests_of(worker):
        try:
            stamps.append(float(headers_of(exchange).get(TIMESTAMP, "")))
        except ValueError:
            check.fail(f"X-Wove-Timestamp is no number of seconds: {refusal(exchange)}")
        if abs(stamps[-1] - exchange.received) > STAMP_TOLERANCE:
            check.fail(
                f"X-Wove-Timestamp is {abs(stamps[-1] - exchange.received):.0f} s off the time of"
                " its request; a worker whose clock differs a little more refuses it"
            )
    if len(stamps) >= 2 and stamps[-1] == stamps[0]:
        check.fail(
            f"two requests {PAUSE:g} s apart have one timestamp: it is not taken for each request,"
            " and every worker refuses it as soon as it is too old"
        )
    return f"{len(stamps)} timestamps, each the time of its request"


@credentials.case(
    "35",
    "verified-each-time",
    MUST,
    sources.VERIFY,
    sent="a run to a server that proves who it is, and the next after that server was replaced by"
    " one that does not (untrusted-ca); on one executor",
    expected="nothing said to the second one",
)
def verified_each_time(check: CaseContext) -> str:
    """A server that was verified once is verified again on the next connection."""
    worker = check.worker(timeout=3.0)

    async def script(remote: Remote) -> str:
        await attempt(remote("first"))
        worker.inject(UntrustedCa())
        worker.restart()  # no connection of before is left
        before = len(requests_of(worker))
        told = await attempt(remote("second", delivery_timeout=1.5))
        if len(requests_of(worker)) > before:
            check.fail(
                "a server whose certificate must not be accepted was sent a run_task, because an"
                f" earlier one at this address had been verified: {told}"
            )
        return str(told)

    return str(check.script(worker, script))


@credentials.case(
    "36",
    "verified-for-cancels",
    MUST,
    sources.VERIFY,
    sent="a run that its delivery_timeout ends, while connections are answered by a server that"
    " does not prove who it is (untrusted-ca)",
    expected="no cancel_task there",
)
def verified_for_cancels(check: CaseContext) -> str:
    """A cancel_task goes only to a server that proves who it is."""
    worker = check.worker(timeout=3.0)
    gate = worker.hold(GIVEN_UP)

    async def script(remote: Remote) -> bool:
        run = attempt(remote("given_up", delivery_timeout=1.0))

        async def replaced() -> None:
            await until_in_loop(lambda: bool(gate.runs), PATIENCE)
            worker.inject(UntrustedCa())

        await asyncio.gather(run, replaced())
        return await until_in_loop(lambda: len(worker.exchanges) > 1, SENT)

    tried = check.script(worker, script)
    if frames_of(worker, "cancel_task"):
        check.fail("a cancel_task was sent to a server whose certificate must not be accepted")
    if not tried:
        raise NotApplicable(NONE_ARRIVED)
    return "not sent"


@credentials.case(
    "37",
    "insecure-verifies",
    SHOULD,
    sources.VERIFY,
    sent="a run with insecure=True to an https server with the fault untrusted-ca",
    expected="an error, and not one request there",
)
def insecure_verifies(check: CaseContext) -> str:
    """``insecure`` allows plain http and anonymous requests; https stays what it is."""
    worker = check.worker(timeout=3.0)
    worker.inject(UntrustedCa())
    told = check.one(worker, settings={"insecure": True}, delivery_timeout=1.5)
    if requests_of(worker):
        check.fail(
            f"with insecure=True an https server's certificate is not verified: {told}; insecure"
            " speaks of plain http and of requests without authentication"
        )
    return str(told)


@contextlib.contextmanager
def _overheard() -> Iterator[io.StringIO]:
    """What is logged at any level, or printed, meanwhile."""
    heard = io.StringIO()
    handler, root = logging.StreamHandler(heard), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
            yield heard
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


@credentials.case(
    "38",
    "secret-not-logged",
    MUST,
    sources.LOGGED,
    sent=f"runs with no fault, and with {', '.join(fault.name for fault in UNLOGGED)}; signed and"
    " with a bearer token",
    expected="no secret in the log, whatever its level, nor on the terminal",
)
def secret_not_logged(check: CaseContext) -> str:
    """Neither a log nor the terminal is told a secret."""
    for mode in ("signed", "bearer"):
        worker = check.worker(security=mode, timeout=0.5)
        with _overheard() as heard:
            check.one(worker)
            for fault in UNLOGGED:
                with worker.inject(fault):
                    check.one(worker, delivery_timeout=1.0)
        if str(worker.secret) in heard.getvalue():
            check.fail(f"the {mode} secret was logged or printed")
    return "nowhere"
