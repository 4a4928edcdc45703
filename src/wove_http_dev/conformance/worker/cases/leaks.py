"""The limit case about what a run leaves behind in the process that ran it.

Pools fill up and caches warm: only what grows by about one a run, and goes on growing, is lost.
"""

from __future__ import annotations

import time
from typing import Any

from wove_http_dev.conformance.report import SHOULD, Family, NotApplicable
from wove_http_dev.conformance.worker import sources, tasks
from wove_http_dev.conformance.worker.check import Check

leaks = Family("limits")
BATCH, BATCH_TIME = 25, 1.2
"""Runs between two looks at the process, and the seconds after which there are enough of them."""
FEWEST = 10
"""Runs that tell growth from chance."""


def _batch(check: Check, function: Any) -> int:
    """Do a batch of runs; how many they were."""
    ends = time.monotonic() + BATCH_TIME
    for number in range(BATCH):
        if time.monotonic() > ends:
            return number
        check.value(function, {"value": number})
    return BATCH


def _held(check: Check) -> dict[str, int]:
    seen = check.value(tasks.resources)
    if not isinstance(seen, dict) or not all(type(count) is int for count in seen.values()):
        raise NotApplicable("the task that counts threads and open files gave no counts")
    return seen


@leaks.case(
    "07",
    "nothing-left-behind",
    SHOULD,
    sources.CWE_EXHAUSTION,
    sent=f"twice {BATCH} sync tasks and twice {BATCH} async ones, and tasks in between that count"
    " the threads and open files of their process",
    expected="counts that do not grow with the runs",
)
def nothing_left_behind(check: Check) -> str:
    """A run gives back the threads, event loops and files that it took."""
    for kind, function in (("sync", tasks.echo), ("async", tasks.echo_async)):
        held, sizes = [_held(check)], []
        for _ in range(2):
            sizes.append(_batch(check, function))
            held.append(_held(check))
        if min(sizes) < FEWEST:
            raise NotApplicable(f"{min(sizes)} runs in {BATCH_TIME:g} s are too few to tell")
        for name in held[0]:
            before, middle, after = (counts.get(name, 0) for counts in held)
            if middle - before > sizes[0] / 2 and after - middle > sizes[1] / 2:
                check.fell(
                    f"the worker's {name} grow with its runs: {before} before, {middle} after"
                    f" {sizes[0]} {kind} runs, {after} after {sizes[1]} more"
                )
    return ", ".join(f"{count} {name}" for name, count in held[-1].items())
