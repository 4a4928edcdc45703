"""Measures how much slower this machine is at present than when it is idle.

The result multiplies the limits that a correct service or executor never reaches, so that a verdict
does not depend on what else the machine does. It multiplies the waits for what should not happen as
well, because that would happen later, too.
"""

from __future__ import annotations

import collections
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SAMPLE = 0.015
"""Seconds of processor time for one measurement. They are several time slices, because a scheduler
gives the first one at once to a thread that has slept."""
KEPT = 5
"""How many of the last measurements are kept. The largest counts, because load comes and goes."""
FRESH = 1.0
"""Seconds after which a measurement is repeated."""
NOISE = 1.5
"""A factor below this counts as 1, because an idle machine may measure it."""
MOST = 4.0
"""The largest factor that is used, so that a check ends on every machine. A service mostly waits,
so load slows it down less than the computation that is measured."""


def measure_slowdown(
    wall: Callable[[], float] = time.perf_counter, own: Callable[[], float] = time.thread_time
) -> float:
    """Compute until 15 ms of processor time are used, and return how many times longer that took: a
    factor from 1 to 4.

    ``wall`` is a clock, ``own`` returns the processor time of this thread.
    """
    began, ends = wall(), own() + SAMPLE
    while own() < ends:
        pass
    factor = (wall() - began) / SAMPLE
    return 1.0 if factor < NOISE else min(MOST, round(factor, 1))


class Machine:
    """Measures how busy the machine is, at most once a second, and remembers the last
    measurements.

    While several cases run, nothing is measured: their own threads would count as load, and all
    waits would be longer for no reason.
    """

    def __init__(
        self,
        measure: Callable[[], float] = measure_slowdown,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measure, self._clock = measure, clock
        self._lock = threading.Lock()
        self._last = -math.inf
        self._factors: collections.deque[float] = collections.deque(maxlen=KEPT)
        self._cases = 0

    @contextmanager
    def used(self) -> Iterator[None]:
        """Say that a case runs until the block ends."""
        with self._lock:
            self._cases += 1
        try:
            yield
        finally:
            with self._lock:
                self._cases -= 1

    def slowdown(self) -> float:
        """Return the factor by which time limits are multiplied: 1 on an idle machine, more on a
        busy one."""
        with self._lock:
            now = self._clock()
            if not self._factors or (self._cases < 2 and now - self._last > FRESH):
                self._last = now
                self._factors.append(self._measure())
            return max(self._factors)
