"""A case about memory: what was sent and received for a run is not kept when it has ended."""

from __future__ import annotations

import gc
import tracemalloc

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.waits import attempt, wait_until
from wove_http_dev.worker import HttpWorker

RUNS = 8
SIZE = 2**20
"""Bytes of the argument and of the result of each run."""
KEPT = RUNS * SIZE // 2
"""This many additional bytes mean that arguments or results of most runs are kept."""
SETTLING = 1.0
"""Seconds within which they must be released."""


@family.should(
    "33",
    sources.EXHAUSTION,
    scenario=f"{RUNS} runs, one after the other, each with an argument and a result of"
    f" {SIZE // 2**20} MiB, then the weave's end; the executor itself remains",
    expected=f"less than {KEPT // 2**20} MiB more in use than before",
    alone=True,
)
def memory_released(check: CaseContext) -> str:
    """What was sent and received for a run is released when it has ended."""
    worker = check.quick_worker()
    _large_runs(check, worker, 1)  # what is made once is not counted
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    try:
        before = _in_use(worker)
        _large_runs(check, worker, RUNS)
        wait_until(lambda: _in_use(worker) - before < KEPT, check.seconds(SETTLING))
        more = _in_use(worker) - before
    finally:
        if not tracing:
            tracemalloc.stop()
    if more >= KEPT:
        check.fail(
            f"{RUNS} runs with {SIZE / 2**20:g} MiB each have ended, and {more / 2**20:.1f} MiB"
            " more than before are in use: what was sent or received is kept",
            late=True,
        )
    return f"{more / 2**20:.1f} MiB more"


def _in_use(worker: HttpWorker) -> int:
    """Return the number of bytes in use, without what the worker remembers."""
    worker.reset()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _large_runs(check: CaseContext, worker: HttpWorker, count: int) -> None:
    """Run ``count`` tasks, one after the other, and wait for the end of their weave."""
    limit = check.seconds(PATIENCE)

    async def script(remote: Remote) -> None:
        for number in range(count):
            value = bytes([number]) * SIZE
            outcome = await attempt(remote("task", value, delivery_timeout=limit))
            if outcome.kind != "result" or outcome.value != value:
                check.fail(f"a run with {SIZE / 2**20:g} MiB: {outcome}")

    check.run_script(worker, script, within=PATIENCE + count)
    check.last_weave.wait(check.seconds(PATIENCE))
