"""What the verification of a request costs with many remembered nonces: ``python -m
tests.benchmarks verification``."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from wove.security import NetworkExecutorSecurity

from tests.benchmarks.figures import Figure, Table, clocked, in_turn
from tests.benchmarks.peers import SECRET
from wove_http_dev.protocol.authenticator import Authenticator
from wove_http_dev.protocol.credentials import credentials
from wove_http_dev.protocol.headers import Headers
from wove_http_dev.protocol.messages import Request

NONCES = 100_000
ROUNDS = 21
REQUESTS = 200
"""Requests of one round; a tenth of them of Wove's own verification, whose cost grows."""
BODY = b"x" * 800
FEW, MANY, WOVE = "no nonces", f"{NONCES:,} nonces", f"Wove's own, {NONCES:,} nonces"


def measure_verification(table: Table, share: float = 1.0) -> None:
    """Add what a verification costs to ``table``. ``share`` multiplies the number of rounds."""
    client = NetworkExecutorSecurity(mode="signed", secret=SECRET)

    def request() -> Request:
        headers = client.headers_for(transport="http", target="/t", body=BODY)
        return Request("POST", "/t", Headers(headers.items()), BODY)

    def once(verify: Callable[[Request], object], count: int) -> dict[str, float]:
        requests = [request() for _ in range(count)]

        def verify_all() -> None:
            for each in requests:
                verify(each)

        return {"processor": clocked(verify_all, count)["processor"] * 1000}

    measured = {
        FEW: partial(once, _filled(0).verify, REQUESTS),
        MANY: partial(once, _filled(NONCES).verify, REQUESTS),
        WOVE: partial(once, _wove(NONCES), REQUESTS // 10),
    }
    found = in_turn(measured, max(3, round(ROUNDS * share)))
    what, goal = "verification of a signed request, processor time", f"{MANY} <= 1.2 x"
    table.add(Figure(what, "us", found["processor"], FEW, goal))


def _filled(count: int) -> Authenticator:
    authenticator = Authenticator(credentials("signed", secret=SECRET))
    now = time.time()
    for number in range(count):
        authenticator._nonces.remember(f"nonce-{number}", now)
    return authenticator


def _wove(count: int) -> Callable[[Request], object]:
    security = NetworkExecutorSecurity(mode="signed", secret=SECRET)
    security._seen_nonces = {f"nonce-{number}": time.time() for number in range(count)}

    def verify(request: Request) -> None:
        security.verify_headers(
            headers=dict(request.headers), transport="http", target="/t", body=BODY
        )

    return verify
