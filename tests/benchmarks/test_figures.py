"""Ratios and differences of medians, and the order in which subjects are measured."""

from __future__ import annotations

import json
import operator
from functools import partial
from pathlib import Path

import pytest

from tests.benchmarks.figures import Figure, Table, compared, in_turn

SAMPLES = {"worker": [2.0, 4.0, 6.0], "floor": [1.0, 2.0, 3.0]}


def test_ratio_of_medians() -> None:
    """The ratio is that of the medians."""
    assert compared(SAMPLES["worker"], SAMPLES["floor"], operator.truediv).middle == 2.0


def test_interval_keeps_rounds_together() -> None:
    """Noise that falls on both figures of a round does not widen the interval."""
    found = compared(SAMPLES["worker"], SAMPLES["floor"], operator.truediv)
    assert (found.low, found.high) == (2.0, 2.0)


def test_interval_of_noise() -> None:
    """Noise that falls on one of the subjects widens it."""
    found = compared([1.0, 2.0, 9.0], [1.0, 1.0, 1.0], operator.truediv)
    assert (found.low, found.high) == (1.0, 9.0)


def test_difference() -> None:
    """A row may say how much is above the base."""
    row = Figure("a test", "ms", SAMPLES, "floor", above=True)
    assert row.compared("worker").middle == 2.0


def test_line_of_a_subject() -> None:
    """A subject's line has its median, the ratio and the base."""
    line = Figure("a task", "ms", SAMPLES, "floor").lines()[1]
    assert line == "  worker  4.000 (2.000-6.000)  2.000 (2.000-2.000) x floor"


@pytest.fixture
def calls() -> list[str]:
    """The subjects in the order in which they were measured, two in twenty rounds."""
    measured: list[str] = []

    def measure(name: str) -> dict[str, float]:
        measured.append(name)
        return {"wall": float(len(measured))}

    in_turn({name: partial(measure, name) for name in "ab"}, rounds=20)
    return measured


def _rounds(calls: list[str]) -> list[tuple[str, ...]]:
    return [tuple(calls[first : first + 2]) for first in range(0, len(calls), 2)]


def test_each_subject_once_a_round(calls: list[str]) -> None:
    """Every subject is measured once before the first round, and once in each round."""
    assert [sorted(each) for each in _rounds(calls)] == [["a", "b"]] * 21


def test_order_is_drawn(calls: list[str]) -> None:
    """No subject always follows the same one."""
    assert set(_rounds(calls)) == {("a", "b"), ("b", "a")}


@pytest.fixture
def table(capsys: pytest.CaptureFixture[str]) -> Table:
    """A table with one row."""
    made = Table()
    made.add(Figure("a task", "ms", SAMPLES, "floor", goal="<= 1.05 x"))
    return made


def test_json_has_every_sample(table: Table, tmp_path: Path) -> None:
    """The JSON file has the samples, the median and the ratio with its interval."""
    table.write(tmp_path / "table.json")
    row = json.loads((tmp_path / "table.json").read_text())["rows"][0]
    ratio = {"middle": 2.0, "low": 2.0, "high": 2.0}
    assert row["subjects"]["worker"] == {
        "median": 4.0,
        "ratio": ratio,
        "samples": SAMPLES["worker"],
    }
