"""Security cases, transport: who is on the other side is verified before anything is said, and
policy forbids plain text and anonymous requests beyond this machine."""

from __future__ import annotations

from typing import Any

from wove_http_dev.client import dns, urllib_opener
from wove_http_dev.conformance.case import MUST, Family
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.context import CaseContext, requests_of
from wove_http_dev.faults import Fault, connection
from wove_http_dev.worker import HttpWorker

transport = Family("security")
CERTIFICATES = (
    connection.UntrustedCa,
    connection.SelfSigned,
    connection.ExpiredCertificate,
    connection.NotYetValidCertificate,
    connection.WrongHostname,
    connection.IpSanMissing,
    connection.IncompleteChain,
)
NO_TLS = (connection.HandshakeClose, connection.PlaintextOnTlsPort, connection.OldTlsOnly)
FAR_HOST = "workers.conformance.internal"
"""A name that is not loopback by the executor's policy, and leads to our worker."""


def _nothing_said(check: CaseContext, worker: HttpWorker, to_whom: str) -> None:
    requests = requests_of(worker)
    if requests:
        check.fail(f"a {requests[0].frame_type or 'request'} was sent to {to_whom}")
    for exchange in worker.exchanges:
        if exchange.code == "plain-http-on-tls-port":
            check.fail("after TLS had failed, a plaintext request was sent to an https URL")


def _verifies(check: CaseContext, kind: type[Fault]) -> str:
    worker, fault = check.worker(timeout=3.0, **kind.worker_options()), kind.name
    worker.inject(kind())
    told = check.one(worker, retries=1, delivery_timeout=1.0)
    _nothing_said(check, worker, f"a server whose certificate must not be accepted ({fault})")
    if told.kind == "result":
        check.fail(f"a server whose certificate must not be accepted ({fault}): {told}")
    return str(told)


def _add(number: int, kind: type[Fault]) -> None:
    fault = kind.name

    def body(check: CaseContext) -> str:
        return _verifies(check, kind)

    body.__doc__ = "Nothing is said to a server that does not prove who it is."
    transport.case(
        f"{number:02}",
        f"tls-{fault}",
        MUST,
        sources.VERIFY,
        sent=f"a run, and a retry, to an https server with the fault {fault}",
        expected="an error, and not one request there",
    )(body)


for _index, _kind in enumerate(CERTIFICATES):
    _add(_index + 20, _kind)


@transport.case(
    "27",
    "no-plaintext-fallback",
    MUST,
    sources.PROTOCOL,
    sent="runs to an https port that closes the handshake or answers plain http",
    expected="an error, and no plaintext request",
)
def no_plaintext_fallback(check: CaseContext) -> str:
    """A request to an https URL is never sent in plain text, whatever TLS comes to."""
    for kind in NO_TLS:
        worker = check.worker(timeout=3.0)
        # The first connection fails; what the client tries next finds a worker that would answer.
        worker.inject(kind(), times=1)
        told = check.one(worker, delivery_timeout=1.0)
        for exchange in worker.exchanges:
            if exchange.code == "plain-http-on-tls-port":
                check.fail(f"after {kind.name} a plaintext request was sent to an https URL")
    return str(told)


def _far(check: CaseContext, settings: dict[str, Any], **options: Any) -> tuple[HttpWorker, str]:
    """A weave to a host that is not loopback; the worker there, and what came of it."""
    worker = check.worker(tls=False, **options)
    url = f"http://{FAR_HOST}:{worker.port}{worker.options.path}"
    check.holding(dns.mapped(FAR_HOST, worker.port, ("127.0.0.1", worker.port)))
    check.holding(urllib_opener.routed(url, check.client_context()))
    told = check.one(worker, settings={"url": url, **settings})
    return worker, str(told)


@transport.case(
    "28",
    "far-plaintext-refused",
    MUST,
    sources.POLICY,
    sent="a weave with an http:// URL of a host that is not local, signed, without insecure=True",
    expected="an error before anything is sent",
)
def far_plaintext_refused(check: CaseContext) -> str:
    """Plain http to another machine is refused unless insecure=True says otherwise."""
    worker, told = _far(check, {"insecure": False}, security="signed")
    if worker.exchanges:
        check.fail(f"a plain http request was sent to {FAR_HOST}, and insecure was not set: {told}")
    if told.startswith("the result"):
        check.fail(f"plain http to {FAR_HOST} was not refused: {told}")
    return told


@transport.case(
    "29",
    "far-anonymous-refused",
    MUST,
    sources.POLICY,
    sent="a weave with an https:// URL of a host that is not local, without security",
    expected="an error before anything is sent",
)
def far_anonymous_refused(check: CaseContext) -> str:
    """Without authentication no request goes to another machine unless insecure=True."""
    worker = check.worker()  # of ours none is anonymous there; a refused request has been sent too
    url = f"https://{FAR_HOST}/wove/tasks"
    check.holding(worker.impersonate(url))
    told = check.one(worker, settings={"url": url, "security": None})
    if requests_of(worker):
        check.fail(f"an unauthenticated request was sent to {FAR_HOST}: {told}")
    if told.kind == "result":
        check.fail(f"a weave without security to {FAR_HOST} was not refused: {told}")
    return str(told)
