"""Cases about TLS and plain http: the executor verifies the server's certificate on every
connection before it sends anything, and uses plain http or no credentials only on the local
machine."""

from __future__ import annotations

import asyncio
from typing import Any

from wove_http_dev.client import dns, urllib_opener
from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.abandoned_runs import (
    ABANDONED,
    CANCEL_WITHIN,
    NO_CANCEL,
    TIMEOUTS,
)
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.security import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import frames_of, requests_of
from wove_http_dev.conformance.executor.waits import attempt, wait_until_async
from wove_http_dev.faults import Fault, connection
from wove_http_dev.weave_outcome import WeaveOutcome
from wove_http_dev.worker import HttpWorker

PLAINTEXT_ON_TLS = "plain-http-on-tls-port"
"""The code by which the worker's journal marks plain http that arrives at a TLS port."""
WITHOUT_TLS = (connection.HandshakeClose, connection.PlaintextOnTlsPort, connection.OldTlsOnly)
"""Faults that prevent a TLS connection."""
FAR_HOST = "workers.conformance.internal"
"""A host name that leads to the worker, but that an executor must treat as another machine."""


def _expect_nothing_sent(check: CaseContext, worker: HttpWorker, to_whom: str) -> None:
    requests = requests_of(worker)
    if requests:
        check.fail(f"a {requests[0].frame_type or 'request'} was sent to {to_whom}")
    for exchange in worker.exchanges:
        if exchange.code == PLAINTEXT_ON_TLS:
            check.fail("after TLS had failed, a plaintext request was sent to an https URL")


@family.each(
    {
        "20": connection.UntrustedCa,
        "21": connection.SelfSigned,
        "22": connection.ExpiredCertificate,
        "23": connection.NotYetValidCertificate,
        "24": connection.WrongHostname,
        "25": connection.IpSanMissing,
        "26": connection.IncompleteChain,
    },
    sources.VERIFY,
    name="tls-{0.name}",
    scenario="a run, and a retry, to an https server with the fault {0.name}",
    expected="an error; the server gets no request",
)
def tls(check: CaseContext, kind: type[Fault]) -> str:
    """Nothing is sent to a server that does not prove its identity."""
    worker = check.worker(timeout=3.0, **kind.worker_options())
    worker.inject(kind())
    outcome = check.run_one_weave(worker, retries=1, delivery_timeout=1.0)
    server = f"a server whose certificate must not be accepted ({kind.name})"
    _expect_nothing_sent(check, worker, server)
    if outcome.kind == "result":
        check.fail(f"{server}: {outcome}")
    return str(outcome)


@family.must(
    "27",
    sources.PROTOCOL,
    scenario="runs to an https port that closes the handshake or answers plain http",
    expected="an error; no plaintext request",
)
def no_plaintext_fallback(check: CaseContext) -> str:
    """A request to an https URL is never sent in plain text, even when TLS fails."""
    for kind in WITHOUT_TLS:
        worker = check.worker(timeout=3.0)
        # Only the first connection fails, so a second attempt in plain text would get an answer.
        worker.inject(kind(), times=1)
        outcome = check.run_one_weave(worker, delivery_timeout=1.0)
        for exchange in worker.exchanges:
            if exchange.code == PLAINTEXT_ON_TLS:
                check.fail(f"after {kind.name} a plaintext request was sent to an https URL")
    return str(outcome)


def _weave_to_far_host(
    check: CaseContext, settings: dict[str, Any], **options: Any
) -> tuple[HttpWorker, WeaveOutcome]:
    """Run a weave whose URL names :data:`FAR_HOST`. Return the worker that receives its requests,
    and the outcome of the weave."""
    worker = check.worker(tls=False, **options)
    url = f"http://{FAR_HOST}:{worker.port}{worker.options.path}"
    check.enter(dns.resolve_to(FAR_HOST, worker.port, ("127.0.0.1", worker.port)))
    check.enter(urllib_opener.route_requests(url, check.client_context()))
    return worker, check.run_one_weave(worker, settings={"url": url, **settings})


@family.must(
    "28",
    sources.POLICY,
    scenario="a weave with an http:// URL of a host that is not local, signed, without"
    " insecure=True",
    expected="an error before anything is sent",
)
def far_plaintext_refused(check: CaseContext) -> str:
    """Plain http to another machine is refused unless insecure=True allows it."""
    worker, outcome = _weave_to_far_host(check, {"insecure": False}, security="signed")
    if worker.exchanges:
        check.fail(
            f"a plain http request was sent to {FAR_HOST}, although insecure was not set: {outcome}"
        )
    if outcome.kind == "result":
        check.fail(f"plain http to {FAR_HOST} was not refused: {outcome}")
    return str(outcome)


@family.must(
    "29",
    sources.POLICY,
    scenario="a weave with an https:// URL of a host that is not local, without security",
    expected="an error before anything is sent",
    alone=True,
)
def far_anonymous_refused(check: CaseContext) -> str:
    """Without authentication no request goes to another machine unless insecure=True allows it."""
    # This worker requires signatures, so it refuses an anonymous request but records it.
    worker = check.worker()
    url = f"https://{FAR_HOST}/wove/tasks"
    check.enter(worker.impersonate(url))
    outcome = check.run_one_weave(worker, settings={"url": url, "security": None})
    if requests_of(worker):
        check.fail(f"an unauthenticated request was sent to {FAR_HOST}: {outcome}")
    if outcome.kind == "result":
        check.fail(f"a weave without security to {FAR_HOST} was not refused: {outcome}")
    return str(outcome)


@family.must(
    "35",
    sources.VERIFY,
    scenario="a run to a server that proves its identity, and another run after that server was"
    " replaced by one that does not (untrusted-ca); with one executor",
    expected="nothing is sent to the second server",
)
def verified_each_time(check: CaseContext) -> str:
    """A server is verified on every connection, even if an earlier connection was verified."""
    worker = check.worker(timeout=3.0)

    async def script(remote: Remote) -> str:
        await attempt(remote("first"))
        worker.inject(connection.UntrustedCa())
        worker.restart()  # closes the verified connections
        before = len(requests_of(worker))
        outcome = await attempt(remote("second", delivery_timeout=1.5))
        if len(requests_of(worker)) > before:
            check.fail(
                "a server whose certificate must not be accepted was sent a run_task, because an"
                f" earlier one at this address had been verified: {outcome}"
            )
        return str(outcome)

    return str(check.run_script(worker, script))


@family.must(
    "36",
    sources.VERIFY,
    scenario="a run whose delivery_timeout ends, while connections are answered by a server that"
    " does not prove its identity (untrusted-ca)",
    expected="no cancel_task is sent to that server",
)
def verified_for_cancels(check: CaseContext) -> str:
    """A cancel_task is sent only to a server that proves its identity."""
    worker = check.worker(timeout=3.0)
    gate = worker.hold(ABANDONED)
    limit = check.seconds(CANCEL_WITHIN)

    def cancels() -> int:
        return len(frames_of(worker, "cancel_task"))

    async def script(remote: Remote) -> tuple[bool, bool]:
        for timeout in TIMEOUTS:
            before = cancels()
            run = asyncio.ensure_future(attempt(remote("abandoned", delivery_timeout=timeout)))
            await wait_until_async(lambda: bool(gate.runs) or run.done(), timeout)  # noqa: B023
            if gate.runs and not run.done():
                break
            await run
            # The cancel_task for this run goes to the server that is trusted.
            await wait_until_async(lambda: cancels() > before, limit)  # noqa: B023
        before, ended = cancels(), len(worker.exchanges)
        untrusted = worker.inject(connection.UntrustedCa())
        await run
        await wait_until_async(lambda: len(worker.exchanges) > ended, limit)
        return untrusted.hits > 0, cancels() > before

    tried, sent = check.run_script(worker, script)
    if tried and sent:
        check.fail("a cancel_task was sent to a server whose certificate must not be accepted")
    if sent:
        raise NotApplicable("the cancel_task was sent on a connection that began before")
    if not tried:
        raise NotApplicable(NO_CANCEL, needs=["cancel.01"])
    return "not sent"


@family.should(
    "37",
    sources.VERIFY,
    scenario="a run with insecure=True to an https server with the fault untrusted-ca",
    expected="an error; the server gets no request",
)
def insecure_verifies(check: CaseContext) -> str:
    """With ``insecure=True`` the certificate of an https server is still verified; the option
    allows only plain http and anonymous requests."""
    worker = check.worker(timeout=3.0)
    worker.inject(connection.UntrustedCa())
    outcome = check.run_one_weave(worker, settings={"insecure": True}, delivery_timeout=1.5)
    if requests_of(worker):
        check.fail(
            f"with insecure=True an https server's certificate is not verified: {outcome}; insecure"
            " is about plain http and requests without authentication"
        )
    return str(outcome)
