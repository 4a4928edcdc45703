"""What limits.06 takes for growth, and what for noise."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from tests.conformance.worker.checks import check
from tests.conformance.worker.plain_worker import SECRET, PlainWorker
from wove_http_dev.conformance.case import SKIPPED
from wove_http_dev.conformance.worker.cases.limits import verification_cost
from wove_http_dev.conformance.worker.cases.limits.verification_cost import (
    ACCEPTED,
    ANSWER,
    PROCESSOR,
    SIZE,
    Block,
    error,
    grows,
    growth,
)

US = 1e-6
REQUESTS = 1500


def measured(extra: float, spread: float = 0.0, wrong: float = 200.0) -> list[Block]:
    """Return a measurement in which a valid request takes ``extra`` µs longer, give or take
    ``spread``."""
    around = (-spread, 0.0, spread, 0.0) * 2
    return [Block((wrong + extra + more) * US, wrong * US) for more in around]


def test_growth_is_the_difference_of_the_middle_blocks() -> None:
    """One slow block changes nothing."""
    after = [*measured(40)[1:], Block(9000 * US, 200 * US)]
    assert growth(measured(10), after) == pytest.approx(30 * US)


def test_blocks_that_differ_are_an_error() -> None:
    assert error(measured(0), measured(0, spread=50)) > error(measured(0), measured(0)) == 0


def test_no_growth_is_decided_at_once() -> None:
    assert grows(PROCESSOR, [measured(3), measured(4)], REQUESTS) is False


def test_one_step_is_not_enough_for_growth() -> None:
    """Load that begins between two measurements is no growth."""
    assert grows(PROCESSOR, [measured(3), measured(300)], REQUESTS) is None


def test_growth_that_goes_on_is_growth() -> None:
    assert grows(PROCESSOR, [measured(3), measured(110), measured(220)], REQUESTS) is True


def test_growth_that_does_not_go_on_is_not_certain() -> None:
    assert grows(PROCESSOR, [measured(3), measured(220), measured(221)], REQUESTS) is None


def test_growth_that_went_away_is_none() -> None:
    assert grows(PROCESSOR, [measured(3), measured(220), measured(5)], REQUESTS) is False


def test_growth_within_the_noise_is_not_certain() -> None:
    noisy = [measured(3, spread=200), measured(110, spread=200), measured(220, spread=200)]
    assert grows(PROCESSOR, noisy, REQUESTS) is None


@pytest.mark.parametrize(
    ("steps", "verdict"), [((3, 110, 220), False), ((3, 400, 800), True)], ids=["little", "much"]
)
def test_the_time_until_an_answer_must_grow_more(steps: Sequence[float], verdict: bool) -> None:
    """It is less exact than the processor time."""
    assert grows(ANSWER, [measured(step) for step in steps], REQUESTS) is verdict


def test_an_accepted_request_must_grow_more() -> None:
    """What else it costs may grow with the load on the machine."""
    steps = [measured(step) for step in (3, 140, 280)]
    assert grows(ACCEPTED, steps, REQUESTS) is False


def test_a_memory_that_is_searched_when_it_grows() -> None:
    assert grows(ACCEPTED, [measured(it) for it in (3, 750, 1500)], REQUESTS) is True


def test_a_slow_service_must_grow_more() -> None:
    """A fifth of the time for one request is noise in the time until the answer."""
    steps = [measured(step, wrong=9000) for step in (3, 400, 800)]
    assert grows(ANSWER, steps, REQUESTS) is False


class Slow(PlainWorker):
    """A worker that takes 20 ms to verify a request, and counts them."""

    verified = 0

    def verify(self, headers: Mapping[str, str], target: str, body: bytes) -> None:
        self.verified += 1
        time.sleep(0.02)
        super().verify(headers, target, body)


def test_a_service_that_is_too_slow_is_not_timed() -> None:
    """If all requests would take long, the case is skipped after the first ones, however busy the
    machine is."""
    worker = Slow()
    with worker:
        result = check(worker.url, "limits.06", secret=SECRET)[-1]
    assert "a request takes" in result.actual
    assert worker.verified < 2 * SIZE


def test_a_measurement_that_stays_uncertain_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more requests are sent when the case's own time is over."""
    monkeypatch.setattr(verification_cost, "grows", lambda *_: None)
    monkeypatch.setattr(verification_cost, "SLOWEST", 60.0)
    monkeypatch.setattr(verification_cost, "TIME", 0.0)
    with PlainWorker() as worker:
        result = check(worker.url, "limits.06", secret=SECRET)[-1]
    assert (result.status, result.actual) == (
        SKIPPED,
        "it could not be timed: 0 s were too few to tell",
    )
