"""The factor by which time limits are multiplied on a busy machine."""

from __future__ import annotations

import pytest

from wove_http_dev.conformance.worker.machine import MOST, Machine, measure_slowdown


@pytest.mark.parametrize(
    ("share", "factor"),
    [(1.0, 1.0), (0.9, 1.0), (0.5, 2.0), (0.001, MOST)],
    ids=["idle", "noise", "busy", "hardly"],
)
def test_the_slowdown_is_wall_time_over_processor_time(share: float, factor: float) -> None:
    """A thread that gets half of a processor is twice as slow; the factor is 1 to 4."""
    now = [0.0]

    def own() -> float:
        now[0] += 0.00001
        return now[0] * share

    assert measure_slowdown(lambda: now[0], own) == pytest.approx(factor, rel=0.1)


def test_this_machine_can_be_measured() -> None:
    """A measurement with the real clocks is a factor of 1 to 4."""
    assert 1.0 <= measure_slowdown() <= MOST


def test_a_machine_is_measured_once_a_second() -> None:
    """Within a second the machine is not measured again."""
    now, factors = [0.0], iter([2.0, 3.0])
    machine = Machine(lambda: next(factors), lambda: now[0])
    seen = []
    for now[0] in (0.0, 0.9, 2.0):
        seen.append(machine.slowdown())
    assert seen == [2.0, 2.0, 3.0]


def test_a_machine_is_not_measured_while_several_cases_run() -> None:
    """The threads of the cases themselves do not count as load."""
    now, factors = [0.0], iter([2.0, 3.0, 4.0])
    machine = Machine(lambda: next(factors), lambda: now[0])
    seen = []
    with machine.used():
        seen.append(machine.slowdown())
        with machine.used():
            now[0] = 5.0
            seen.append(machine.slowdown())
        seen.append(machine.slowdown())
    assert seen == [2.0, 2.0, 3.0]


def test_a_machine_is_measured_if_it_never_was() -> None:
    """The first measurement is made even while several cases run."""
    machine = Machine(lambda: 2.0)
    with machine.used(), machine.used():
        assert machine.slowdown() == 2.0


def test_the_largest_of_the_last_measurements_counts() -> None:
    """A moment without load does not shorten the limits; after five measurements it does."""
    now, factors = [0.0], iter([3.0, *[1.0] * 5])
    machine = Machine(lambda: next(factors), lambda: now[0])
    seen = []
    for now[0] in (0.0, 2.0, 4.0, 6.0, 8.0, 10.0):
        seen.append(machine.slowdown())
    assert seen == [3.0] * 5 + [1.0]
