"""What limits.06 takes for growth, and what for noise."""

from __future__ import annotations

from wove_http_dev.conformance.worker.cases.limits.verification_cost import (
    GROWN,
    Measurement,
    growth,
    noise,
)

MS = 1e-3


def test_a_growth_during_the_first_measurements_is_no_noise() -> None:
    """The memory of nonces grows while it is measured as well; only the requests that are not
    remembered show noise."""
    before = [Measurement(good=extra * MS + 1 * MS, wrong=1 * MS) for extra in (2, 4, 6)]
    after = [Measurement(good=extra * MS + 1 * MS, wrong=1 * MS) for extra in (9, 10)]
    assert growth(before, after) > noise(before, after)


def test_growth_is_what_every_measurement_shows() -> None:
    """One slow measurement afterwards, or one quick one before, is no growth."""
    before = [Measurement(3 * MS, 1 * MS), Measurement(1 * MS, 1 * MS)]
    after = [Measurement(9 * MS, 1 * MS), Measurement(3 * MS, 1 * MS)]
    assert growth(before, after) == 0


def test_load_that_begins_between_the_measurements_is_noise() -> None:
    """On a machine that becomes four times as slow all requests take longer, and a valid one, which
    costs more, by more."""
    before = [Measurement(2 * MS, 1 * MS)] * 3
    after = [Measurement(8 * MS, 4 * MS)] * 4
    assert 0 < growth(before, after) <= noise(before, after)


def test_load_that_ends_between_the_measurements_is_noise() -> None:
    before = [Measurement(5 * MS, 5 * MS)] * 3
    after = [Measurement(3 * MS, 1 * MS)] * 4
    assert 0 < growth(before, after) <= noise(before, after)


def test_a_quiet_machine_has_some_noise() -> None:
    assert noise([Measurement(0.1 * MS, 0.1 * MS)], [Measurement(0.1 * MS, 0.1 * MS)]) == GROWN
