"""The limit case about the time that it takes to verify a request: it must not grow with the number
of requests that the service has seen.

Wove's own ``verify_headers`` (2.0.3) goes through all remembered nonces at each request: 35 to
75 µs for 1,000 nonces, 6 ms for 50,000. The case compares a valid request that is sent again, and
refused for its nonce, with one that is refused for its signature. Except for the memory of nonces
both cost the same, so that noise cancels out. Requests that are accepted are compared as well, for
a memory that is searched only then; they cost more, so only a large growth counts. It measures the
processor time of the service, which a task reads, because load on the machine changes that little,
and the time until the answer, for a service whose tasks run in other processes or whose memory is a
database. A growth counts if a second batch of requests adds to it. A service that is too slow for
all these requests is skipped after the first few.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from wove_http_dev.conformance.case import CaseFailed, NotApplicable
from wove_http_dev.conformance.worker import commands, sources, unusual_tasks
from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.cases.limits import limits
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.wire import Connection, NoAnswer

PAIRS, SIZE = 8, 24
"""A measurement is 8 blocks of repeated requests, each with a block of wrongly signed ones, of 24
requests each, and one of half as many new ones."""
REQUESTS, SENDERS = 1500, 3
"""The number of valid requests between two measurements, and how many are sent at a time."""
REQUESTS_TIME = 2.0
"""Seconds after which no more requests are sent between two measurements."""
STEPS = 3
"""How often more requests are sent, at most, and measured after; often enough for a busy
machine."""
PROBE = 9
"""How many requests show, before all others, how long one takes."""
SLOWEST = 7.5e-3
"""Seconds that a request may take, on any machine, so that the case ends soon. A service that is
slower is not timed."""
TIME = 6.0
"""Seconds, on an idle machine, after which no more requests are sent to become certain."""
CERTAIN = 4.0
"""By how many standard errors a growth must differ from none."""


@dataclass(frozen=True)
class Block:
    """Seconds for a request in one pair of blocks: valid ones, repeated or new, and those with a
    wrong signature."""

    valid: float
    wrong: float

    @property
    def extra(self) -> float:
        """How many seconds longer a valid request takes."""
        return self.valid - self.wrong


@dataclass(frozen=True)
class Clock:
    """One of the times that are measured. A difference is taken for noise if it is smaller than
    ``least`` seconds, ``per_nonce`` seconds for each remembered request, or ``share`` (from 0 to 1)
    of the time for one request."""

    name: str
    per_nonce: float
    least: float
    share: float

    def floor(self, blocks: Sequence[Block], requests: int) -> float:
        """Return up to how many seconds a growth is taken for noise, if ``requests`` requests came
        between ``blocks`` and the measurement before."""
        usual = statistics.median(block.wrong for block in blocks)
        return max(self.least, self.per_nonce * requests, self.share * usual)


PROCESSOR = Clock("processor time", per_nonce=20e-9, least=25e-6, share=0.0)
ACCEPTED = Clock("processor time of an accepted request", per_nonce=200e-9, least=250e-6, share=0.0)
"""The time for new requests, which are accepted. It was seen to grow by 140 µs on a busy machine,
with a service whose tasks run in a pool of threads."""
ANSWER = Clock("time until the answer", per_nonce=100e-9, least=150e-6, share=0.2)
VISIBLE = 20e-6
"""Seconds of processor time that a request takes at least, if tasks see those of the process that
verifies."""


def growth(before: Sequence[Block], after: Sequence[Block]) -> float:
    """Return by how many seconds a valid request takes longer than before."""
    return _middle(after) - _middle(before)


def error(before: Sequence[Block], after: Sequence[Block]) -> float:
    """Return the standard error of :func:`growth` in seconds, estimated from the differences
    between the blocks of one measurement."""
    # For a normal distribution, a median's error is 1.25 times that of a mean, and the standard
    # deviation 1.48 times the median of the absolute deviations.
    parts = [(1.25 * 1.48 * _spread(blocks)) ** 2 / len(blocks) for blocks in (before, after)]
    return float(sum(parts) ** 0.5)


def _middle(blocks: Sequence[Block]) -> float:
    return statistics.median(block.extra for block in blocks)


def _spread(blocks: Sequence[Block]) -> float:
    return statistics.median(abs(block.extra - _middle(blocks)) for block in blocks)


def grows(clock: Clock, measured: Sequence[Sequence[Block]], requests: int) -> bool | None:
    """Return whether the time that ``clock`` measured grows: ``measured`` holds a measurement
    before, and one after each ``requests`` valid requests. ``None`` means that more are needed."""
    first, last, steps = measured[0], measured[-1], len(measured) - 1
    grown, noise = growth(first, last), error(first, last)
    floor = clock.floor(first, requests * steps)
    if grown + noise < floor or (steps > 1 and grown < floor):
        return False
    if steps == 1 or grown < CERTAIN * noise:
        return None
    half = growth(measured[-2], last)
    return half > clock.floor(first, requests) / 2 or None


class _Sender:
    """Sends requests that cost the service little (a cancel_task for an unknown run), over one
    connection if the service keeps it open."""

    def __init__(self, check: CaseContext, service: ServiceUnderTest) -> None:
        self._check, self._service = check, service
        self._body = commands.encode(commands.cancel_frame("conformance:growth"))
        self._connection: Connection | None = None

    def request(self, *, secret: bytes | None = None) -> bytes:
        """Return a new request, signed with ``secret`` instead of the right one."""
        headers = self._service.credentials(self._body, secret=secret)
        return self._service.request(self._body, headers, keep=True)

    def send(self, request: bytes) -> None:
        """Send ``request`` and wait for its answer."""
        deadline = self._check.deadline()
        if self._connection is None:
            self._connection = self._service.connect(deadline)
        self._connection.send(request, deadline)
        if self._connection.answer(deadline).closes:
            self.close()

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Measuring:
    """The measurements of one case: for each clock those before and after more requests."""

    def __init__(self, check: CaseContext) -> None:
        self._check = check
        self._sender = _Sender(check, check.service)
        self.measured: dict[Clock, list[list[Block]]] = {
            PROCESSOR: [],
            ACCEPTED: [],
            ANSWER: [],
        }
        self._visible = True
        self._process: int | None = None
        self._used = 0.0
        """The processor time of the service after the last block."""

    @property
    def clocks(self) -> list[Clock]:
        """The clocks whose times say something about this service."""
        return [PROCESSOR, ACCEPTED, ANSWER] if self._visible else [ANSWER]

    def measure(self) -> None:
        """Measure new requests, repeated ones and those with a wrong signature in turns."""
        wrong = self._sender.request(secret=b"another secret")
        for request in (self._sender.request(), wrong):
            self._sender.send(request)
        if not self.measured[ANSWER]:
            self._require_pace(wrong)  # not a valid one: a full memory is no reason
        blocks: dict[Clock, list[Block]] = {PROCESSOR: [], ACCEPTED: [], ANSWER: []}
        signed = [[self._sender.request() for _ in range(SIZE // 2)] for _ in range(PAIRS)]
        self._used = self._processor_time()
        for new in signed:
            accepted, _ = self._block(new)
            used, times = zip(self._block(new[:1] * SIZE), self._block([wrong] * SIZE), strict=True)
            blocks[PROCESSOR].append(Block(*used))
            blocks[ACCEPTED].append(Block(accepted, used[1]))
            blocks[ANSWER].append(Block(*times))
        for clock, found in blocks.items():
            self.measured[clock].append(found)
        if statistics.median(block.wrong for block in blocks[PROCESSOR]) < VISIBLE:
            self._visible = False

    def _require_pace(self, request: bytes) -> None:
        """Skip the case if the service takes too long to answer ``request``."""
        times = []
        for _ in range(PROBE):
            began = time.perf_counter()
            self._sender.send(request)
            times.append(time.perf_counter() - began)
        took = statistics.median(times)
        if took > SLOWEST:
            raise NotApplicable(
                f"it could not be timed: a request takes {took * 1000:.0f} ms, and"
                f" {4 * PAIRS * SIZE} are needed"
            )

    def _block(self, requests: Sequence[bytes]) -> tuple[float, float]:
        """Send ``requests``. Return seconds for one: the processor time of the service, and the
        time until the answer."""
        before, began = self._used, time.perf_counter()
        for request in requests:
            self._sender.send(request)
        took = time.perf_counter() - began
        self._used = self._processor_time()
        return (self._used - before) / len(requests), took / len(requests)

    def _processor_time(self) -> float:
        """Return the processor time of the process that runs tasks, in seconds."""
        with suppress(CaseFailed, TypeError, ValueError):
            process, seconds = self._check.value(unusual_tasks.processor_time)
            self._visible &= self._process in (None, process)
            self._process = process
            return float(seconds)
        self._visible = False
        return 0.0

    def send_more(self) -> int:
        """Send valid requests, several at a time, and return how many."""
        limit = time.monotonic() + self._check.seconds(REQUESTS_TIME)
        count = int(REQUESTS * min(1.0, self._check.session.silence)) // SENDERS
        posts = [Background(lambda: self._send_many(count, limit)) for _ in range(SENDERS)]
        return sum(post.result(self._check.time_left()) for post in posts)

    def _send_many(self, count: int, ends: float) -> int:
        sender = _Sender(self._check, self._check.session.service)
        try:
            for number in range(count):
                if time.monotonic() > ends:
                    return number
                sender.send(sender.request())
        finally:
            sender.close()
        return count

    def close(self) -> None:
        """Close the connection."""
        self._sender.close()


@limits.should(
    "06",
    f"{sources.CWE_EXHAUSTION}; measured on wove 2.0.3",
    scenario=f"{REQUESTS} signed requests; before and after them {PAIRS * SIZE // 2} new ones and"
    f" {PAIRS * SIZE} repeated ones are compared with {PAIRS * SIZE} wrongly signed ones; up to"
    f" {STEPS} times, until the result is certain",
    expected="the difference between the two stays the same, in processor time and in time until"
    " the answer",
    alone=True,
)
def verify_timegrowth(check: CaseContext) -> str:
    """The time to verify a request does not grow with the number of requests seen before."""
    check.need_mode("signed")
    measuring = _Measuring(check)
    sent, limit = 0, check.seconds(TIME)
    ends = time.monotonic() + limit
    try:
        measuring.measure()
        for step in range(1, STEPS + 1):
            if step > 1 and time.monotonic() > ends:
                raise NotApplicable(f"it could not be timed: {limit:g} s were too few to tell")
            sent += measuring.send_more()
            measuring.measure()
            undecided = []
            for clock in measuring.clocks:
                measured = measuring.measured[clock]
                verdict = grows(clock, measured, sent // step)
                if verdict:
                    grown = growth(measured[0], measured[-1]) * 1e6
                    check.fail(
                        f"verification got {grown:.0f} µs slower ({clock.name}) after {sent} more"
                        " requests: its time grows with the number of remembered nonces",
                        late=True,  # it was measured: a second measurement has to confirm it
                    )
                undecided += [clock] if verdict is None else []
            if not undecided:
                break
    except NoAnswer as exc:
        raise NotApplicable(f"it could not be timed: {exc}") from exc
    finally:
        measuring.close()
    seen = [
        growth(measuring.measured[it][0], measuring.measured[it][-1]) for it in measuring.clocks
    ]
    return f"{max(0.0, seen[0]) * 1e6:.0f} µs more after {sent} requests"
