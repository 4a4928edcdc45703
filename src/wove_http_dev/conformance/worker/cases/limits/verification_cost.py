"""The limit case about the time that it takes to verify a request: it must not grow with the number
of requests that the service has seen.

Wove's own ``verify_headers`` (2.0.3) goes through all remembered nonces at each request: 75 µs for
1,000 nonces, 6 ms for 50,000. The case compares valid requests with requests that have a wrong
signature. Except for the memory of nonces both cost the same, so that noise cancels out, and the
requests with a wrong signature show how much noise there is: their time does not grow.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.worker import commands, sources
from wove_http_dev.conformance.worker.cases.limits import limits
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import Connection, NoAnswer

WARM_UP = 20
PAIRS, PAIRS_TIME = 60, 0.7
"""The number of pairs of requests in one measurement, and the seconds after which no more are
sent."""
FEWEST = 16
"""The number of pairs of requests that are sent however long they take."""
REQUESTS, REQUESTS_TIME = 4000, 2.0
"""The number of requests between the measurements, and the seconds after which no more are sent."""
FEWEST_REQUESTS = 50
"""The number of requests between the measurements that are sent however long they take."""
BEFORE = 3
"""The number of measurements before the requests. The slowest counts: other load on the machine can
change a single one."""
AGAIN, AGAIN_TIME = 3, 4.0
"""The number of measurements after the requests that are made if one shows growth, however long
they take, and the seconds for further ones, at most half of the time that the case has left. The
fastest counts."""
PAUSE = 0.3
"""Seconds between two measurements, so that a short load on the machine does not affect both of
them."""
GROWN, GROWN_SHARE = 150e-6, 0.2
"""Less growth than this is noise: seconds for one request, and a share of the time for one
request."""


@dataclass(frozen=True)
class Measurement:
    """Seconds for a request: first quartiles of valid ones and of those with a wrong signature."""

    good: float
    wrong: float

    @property
    def extra(self) -> float:
        """How many seconds longer a valid request takes."""
        return self.good - self.wrong


def growth(before: Sequence[Measurement], after: Sequence[Measurement]) -> float:
    """Return the seconds by which each measurement of ``after`` is above all of ``before``."""
    return min(it.extra for it in after) - max(it.extra for it in before)


def noise(before: Sequence[Measurement], after: Sequence[Measurement]) -> float:
    """Return up to how many seconds of growth are noise: at least as much as the times of requests
    with a wrong signature differ, for which the service remembers nothing."""
    wrong = [it.wrong for it in (*before, *after)]
    typical = max(it.good for it in before)
    return max(GROWN, GROWN_SHARE * typical, max(wrong) - min(wrong))


class _Clock:
    """Measures the time of requests that cost the service little (a cancel_task for an unknown
    run). They share one connection if the service keeps it open."""

    def __init__(self, check: CaseContext) -> None:
        self._check = check
        self._connection: Connection | None = None

    def time(self, *, good: bool) -> float:
        """Send one request and return the seconds until its answer. ``good`` says whether its
        signature is right."""
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
        if answer.closes:
            self.close()
        return took

    def measure(self) -> Measurement:
        """Time valid requests and those with a wrong signature in turns."""
        good: list[float] = []
        wrong: list[float] = []
        ends = time.monotonic() + PAIRS_TIME * self._check.session.silence
        while len(good) < FEWEST or (len(good) < PAIRS and time.monotonic() < ends):
            good.append(self.time(good=True))
            wrong.append(self.time(good=False))
        quarter = len(good) // 4
        return Measurement(sorted(good)[quarter], sorted(wrong)[quarter])

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@limits.should(
    "06",
    f"{sources.CWE_EXHAUSTION}; measured on wove 2.0.3",
    scenario=f"signed requests for {REQUESTS_TIME:g} s (at most {REQUESTS}); before and after,"
    " valid requests timed in comparison with wrongly signed ones",
    expected=f"less than {GROWN * 1e6:.0f} µs (and {GROWN_SHARE:.0%}) more per request",
    alone=True,
)
def verify_timegrowth(check: CaseContext) -> str:
    """The time to verify a request does not grow with the number of requests seen before."""
    check.need_mode("signed")
    clock = _Clock(check)
    try:
        for _ in range(WARM_UP):
            clock.time(good=True)
        before = [clock.measure() for _ in range(BEFORE)]
        seen, ends = 0, time.monotonic() + REQUESTS_TIME * check.session.silence
        while seen < FEWEST_REQUESTS or (seen < REQUESTS and time.monotonic() < ends):
            clock.time(good=True)
            seen += 1
        after = [clock.measure()]
        more = min(AGAIN_TIME * check.session.silence, check.time_left() / 2)
        ends = time.monotonic() + more
        while growth(before, after) > noise(before, after) and (
            len(after) <= AGAIN or time.monotonic() < ends
        ):
            time.sleep(PAUSE * check.session.silence)
            after.append(clock.measure())
    except NoAnswer as exc:
        raise NotApplicable(f"it could not be timed: {exc}") from exc
    finally:
        clock.close()
    grown = growth(before, after)
    if grown > noise(before, after):
        check.fail(
            f"verification got {grown * 1e6:.0f} µs slower after {seen} more requests: its time"
            " grows with the number of remembered nonces",
            late=True,  # it was measured: a second measurement has to confirm it
        )
    return f"{max(0.0, grown) * 1e6:.0f} µs more after {seen} requests"
