"""Figures of several subjects that were measured in turn, and what follows from them: medians, and
ratios to one of the subjects with an interval that says how far to believe them."""

from __future__ import annotations

import json
import operator
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

RESAMPLES = 1000
"""Samples that the interval of a ratio is made from."""
CONFIDENCE = 0.95
SEED = 14
"""Of the order of the subjects and of the resamples, so that a run can be repeated."""

Samples = dict[str, list[float]]
"""The figures of each subject: one of each round, in the order of the rounds."""


@dataclass(frozen=True)
class Interval:
    """What two medians make, a ratio or a difference, and the interval that holds it with 95 %
    confidence."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.3f} ({self.low:.3f}-{self.high:.3f})"


@dataclass(frozen=True)
class Figure:
    """One row of the table: what was measured, in ``unit``, of which subjects, against ``base``."""

    what: str
    unit: str
    samples: Samples
    base: str
    goal: str = ""
    """What the ratio, or the difference, should be."""
    above: bool = False
    """Whether the difference to the base counts, not the ratio."""

    def compared(self, subject: str) -> Interval:
        """Return the ratio of the median of ``subject`` to that of the base, or their
        difference."""
        made = operator.sub if self.above else operator.truediv
        return compared(self.samples[subject], self.samples[self.base], made)

    def lines(self) -> list[str]:
        """Return the row as text: a line of what it is, and one for each subject."""
        width = max(map(len, self.samples))
        lines = [f"{self.what}, {self.unit}" + (f"; goal: {self.goal}" if self.goal else "")]
        for subject, values in self.samples.items():
            line = f"  {subject:{width}}  {spread(values)}"
            if subject != self.base:
                how = "above" if self.above else "x"
                line += f"  {self.compared(subject)} {how} {self.base}"
            lines.append(line)
        return lines

    def plain(self) -> dict[str, Any]:
        """Return the row for JSON, with every sample."""
        return {
            "what": self.what,
            "unit": self.unit,
            "goal": self.goal,
            "base": self.base,
            "subjects": {
                subject: {
                    "median": statistics.median(values),
                    "above" if self.above else "ratio": vars(self.compared(subject)),
                    "samples": values,
                }
                for subject, values in self.samples.items()
            },
        }


@dataclass
class Table:
    """The rows of one run, printed as they come."""

    rows: list[Figure] = field(default_factory=list)

    def add(self, row: Figure) -> None:
        """Add and print ``row``."""
        self.rows.append(row)
        print("\n" + "\n".join(row.lines()), flush=True)

    def write(self, path: Path) -> None:
        """Write all rows as JSON, with the machine and the time."""
        table = {
            "version": 1,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "machine": machine(),
            "rows": [row.plain() for row in self.rows],
        }
        path.write_text(json.dumps(table, indent=1) + "\n")


def machine() -> str:
    """Return the Python, the processors and the load of this machine on one line."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = os.getloadavg()[0]
    return f"{python}, {platform.machine()}, {os.cpu_count()} cores, load {load:.1f}"


def spread(values: Sequence[float]) -> str:
    """Return the median, and the quartiles in brackets."""
    if len(values) < 2:
        return f"{values[0]:.3f}"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def compared(
    values: Sequence[float], units: Sequence[float], made: Callable[[float, float], float]
) -> Interval:
    """Return what ``made`` makes of the median of ``values`` and that of ``units``, with its
    bootstrap interval.

    Both have one figure of each round; whole rounds are drawn, because the two figures of a round
    were taken beside the same noise.
    """
    chance = random.Random(SEED)
    rounds = range(len(units))
    drawn = sorted(
        made(statistics.median(values[i] for i in some), statistics.median(units[i] for i in some))
        for some in (chance.choices(rounds, k=len(rounds)) for _ in range(RESAMPLES))
    )
    tail = int(RESAMPLES * (1 - CONFIDENCE) / 2)
    middle = made(statistics.median(values), statistics.median(units))
    return Interval(middle, drawn[tail], drawn[-1 - tail])


def in_turn(
    subjects: Mapping[str, Callable[[], Mapping[str, float]]], rounds: int
) -> dict[str, Samples]:
    """Call each of ``subjects`` once a round, in an order that is drawn for each round, and return
    the figures: by what each call's result names them, then by subject.

    Each subject is called once before, for what is done only once.
    """
    chance = random.Random(SEED)
    for measure in subjects.values():
        measure()
    figures: dict[str, Samples] = {}
    order = list(subjects)
    for _ in range(rounds):
        chance.shuffle(order)
        for subject in order:
            for name, value in subjects[subject]().items():
                samples = figures.setdefault(name, {each: [] for each in subjects})
                samples[subject].append(value)
    return figures


def clocked(run: Callable[[], object], per: int = 1) -> dict[str, float]:
    """Call ``run`` and return how many milliseconds it took of this process's processor time and by
    the clock, divided by ``per``."""
    wall, processor = time.perf_counter(), time.process_time()
    run()
    return {
        "processor": (time.process_time() - processor) * 1000 / per,
        "wall": (time.perf_counter() - wall) * 1000 / per,
    }
