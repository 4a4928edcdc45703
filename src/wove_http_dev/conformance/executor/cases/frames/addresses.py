"""Cases about the host of the URL: an IPv6 address, and a name with several addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.frames import expect_result, family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import headers_of, requests_of

IPV4, IPV6 = "127.0.0.1", "::1"


def _with_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind((IPV6, 0))
    except OSError:
        return False
    return True


@family.must(
    "38",
    sources.ADDRESS,
    scenario=f"a run to a worker at https://[{IPV6}], and one to a worker at http://[{IPV6}]",
    expected="the results, and the address in brackets as Host",
)
def ipv6_address(check: CaseContext) -> str:
    """The host of a URL may be an IPv6 address, in brackets."""
    if not _with_ipv6():
        raise NotApplicable("this machine has no IPv6")
    for tls in (True, False) if check.takes_plain_http else (True,):
        worker = check.worker(tls=tls, host=IPV6)
        expect_result(check, worker, 1, f"a healthy worker at {worker.url}")
        for exchange in requests_of(worker):
            host = headers_of(exchange).get("Host")
            if host != f"[{IPV6}]:{worker.port}":
                check.fail(f"a request to {worker.url} has the Host {host!r}")
    return worker.url


@contextmanager
def _two_addresses(host: str, port: int) -> Iterator[None]:
    """Make ``host`` resolve to its address of IPv6, where nothing listens, and then to that of
    IPv4."""
    original = socket.getaddrinfo

    def resolve(name: Any, service: Any, *given: Any, **named: Any) -> Any:
        text = name.decode() if isinstance(name, bytes) else name
        if text != host or str(service) != str(port):
            return original(name, service, *given, **named)
        tcp = (socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [
            (socket.AF_INET6, *tcp, (IPV6, port, 0, 0)),
            (socket.AF_INET, *tcp, (IPV4, port)),
        ]

    socket.getaddrinfo = resolve  # type: ignore[assignment]  # its overloads
    try:
        yield
    finally:
        if socket.getaddrinfo is resolve:
            socket.getaddrinfo = original


@family.should(
    "39",
    sources.ADDRESSES,
    scenario=f"runs to https://localhost and http://localhost, which resolves to {IPV6}, where"
    f" nothing listens, and to {IPV4}, where the worker does",
    expected="the results",
    alone=True,
)
def each_address(check: CaseContext) -> str:
    """If the first address of a host refuses the connection, the next one is tried."""
    for tls in (True, False) if check.takes_plain_http else (True,):
        worker = check.worker(tls=tls, host=IPV4)
        url = worker.url.replace(IPV4, "localhost")
        with _two_addresses("localhost", worker.port):
            outcome = check.run_one_weave(worker, 1, settings={"url": url})
        if outcome.value != 1:
            check.fail(
                f"{url.partition('/wove')[0]} resolves to {IPV6}, where nothing listens, and to"
                f" {IPV4}, where the worker does: {outcome}"
            )
    return "the second address"
