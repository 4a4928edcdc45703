"""The limit case about the price of a verification: it must not grow with the requests seen.

Wove's own ``verify_headers`` (2.0.3) walks through every nonce that it remembers at each request:
75 µs at 1,000 of them, 6 ms at 50,000. Noise is kept out by comparing each good request with one
that has a wrong signature, which costs the same but for the memory of nonces.
"""

from __future__ import annotations

import time

from wove_http_dev.conformance.report import SHOULD, Family, NotApplicable
from wove_http_dev.conformance.worker import commands, sources
from wove_http_dev.conformance.worker.check import Check
from wove_http_dev.conformance.worker.wire import Connection, NoAnswer

growth = Family("limits")
PAIRS = 60
REQUESTS = 4000
SECONDS = 3.0
"""How long requests are sent at most."""
GROWN = 150e-6
"""Seconds per request that are more than noise."""


class _Clock:
    """Sends cheap requests (a cancel_task for an unknown run) and times them, on one connection
    if the service keeps it."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._connection: Connection | None = None
        self.accepted = 0

    def time(self, *, good: bool) -> float:
        """Seconds of one request."""
        service = self._check.service
        body = commands.encode(commands.cancel_frame("conformance:growth"))
        wrong = None if good else b"another secret"
        headers = service.credentials(body, secret=wrong)
        request = service.request(body, headers, keep=True)
        deadline = self._check.deadline()
        began = time.perf_counter()
        if self._connection is None:
            self._connection = service.connect(deadline)
        self._connection.send(request, deadline)
        answer = self._connection.answer(deadline)
        took = time.perf_counter() - began
        self.accepted += answer.ok
        if answer.closes:
            self.close()
        return took

    def difference(self) -> float:
        """Seconds that a good request takes longer than one with a wrong signature."""
        pairs = [(self.time(good=True), self.time(good=False)) for _ in range(PAIRS)]
        good, wrong = sorted(p[0] for p in pairs), sorted(p[1] for p in pairs)
        return good[PAIRS // 4] - wrong[PAIRS // 4]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@growth.case(
    "06",
    "verify-time-growth",
    SHOULD,
    f"{sources.CWE_EXHAUSTION}; measured on wove 2.0.3",
    sent=f"signed requests for {SECONDS:g} s (at most {REQUESTS}), timed before and after against"
    " requests with a wrong signature",
    expected=f"less than {GROWN * 1e6:.0f} µs more per request",
)
def verify_time_growth(check: Check) -> str:
    """The time to verify a request does not grow with the requests that were seen before."""
    check.need_mode("signed")
    clock = _Clock(check)
    try:
        clock.difference()  # warm up
        before = clock.difference()
        first, ends = clock.accepted, time.monotonic() + SECONDS
        while clock.accepted < REQUESTS and time.monotonic() < ends:
            clock.time(good=True)
        seen = clock.accepted - first
        grown = clock.difference() - before
        for _ in range(3):
            if grown > GROWN:  # a moment of load must not be taken for growth
                grown = min(grown, clock.difference() - before)
    except NoAnswer as exc:
        raise NotApplicable(f"it could not be timed: {exc}") from exc
    finally:
        clock.close()
    if grown > GROWN:
        check.fell(
            f"verification got {grown * 1e6:.0f} µs slower after {seen} more requests: its time"
            " grows with the nonces remembered"
        )
    return f"{max(0.0, grown) * 1e6:.0f} µs more after {seen} requests"
