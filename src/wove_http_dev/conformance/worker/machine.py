"""How much slower this machine is at present than when it is idle.

Limits that a correct service or executor never uses up are multiplied by it, so that a verdict does
not depend on what else the machine does. Waits that every check has to sit out are not.
"""

from __future__ import annotations

import collections
import math
import threading
import time
from collections.abc import Callable

SAMPLE = 0.015
"""Seconds of processor time for one measurement: several time slices, because a scheduler lets a
thread that has slept run at once for the first."""
KEPT = 5
"""Measurements of which the largest counts, because load comes and goes."""
FRESH = 1.0
"""Seconds until the next measurement."""
NOISE = 1.5
"""An idle machine measures up to this factor."""
MOST = 4.0
"""The largest factor, so that a check ends on every machine. A service mostly waits, and loses less
than the computation that is measured."""


def measure_slowdown(
    wall: Callable[[], float] = time.perf_counter, own: Callable[[], float] = time.thread_time
) -> float:
    """Compute for 15 ms of processor time; return how many times longer that took, from 1 to 4.

    ``wall`` is the clock, ``own`` the processor time of this thread.
    """
    began, ends = wall(), own() + SAMPLE
    while own() < ends:
        pass
    factor = (wall() - began) / SAMPLE
    return 1.0 if factor < NOISE else min(MOST, round(factor, 1))


class Machine:
    """Measures at most once a second, and remembers the last measurements."""

    def __init__(
        self,
        measure: Callable[[], float] = measure_slowdown,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measure, self._clock = measure, clock
        self._lock = threading.Lock()
        self._last = -math.inf
        self._factors: collections.deque[float] = collections.deque(maxlen=KEPT)

    def slowdown(self) -> float:
        """The factor by which time limits are multiplied; 1 on an idle machine."""
        with self._lock:
            now = self._clock()
            if now - self._last > FRESH:
                self._last = now
                self._factors.append(self._measure())
            return max(self._factors)
