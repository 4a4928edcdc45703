"""A case about runs that follow a failed one: nothing of the failure is left on a connection, or in
the executor, that changes what the next run gets."""

from __future__ import annotations

import asyncio

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.cases.routing import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.waits import attempt, give_up
from wove_http_dev.faults import Fault
from wove_http_dev.faults.connection import HandshakeClose, RefuseConnections
from wove_http_dev.faults.response import InvalidJson, Redirect, Status
from wove_http_dev.faults.wire import (
    BadChunk,
    CloseWithoutResponse,
    ResetMidBody,
    StallMidBody,
    TruncatedBody,
)
from wove_http_dev.worker import HttpWorker

TIMEOUT = 0.6
"""Seconds of the executor's timeout on an idle machine, which ends the stalled answer."""
FAILURES: tuple[Fault, ...] = (
    CloseWithoutResponse(),
    ResetMidBody(),
    TruncatedBody(),
    BadChunk(),
    Status(500),
    Redirect(307),
    InvalidJson(),
    HandshakeClose(),
    RefuseConnections(),
)


@family.must(
    "21",
    sources.DESYNCHRONISED,
    scenario="a run that works, one that fails, and four others that work, with one executor:"
    f" {', '.join(map(str, FAILURES))}, and half of an answer, whose rest comes after the"
    " executor's timeout",
    expected="its own result for each run that works",
)
def after_a_failure(check: CaseContext) -> str:
    """A run that follows a failed one has its own result."""
    worker = check.worker()
    for fault in FAILURES:
        _expect_results_around(check, worker, fault)
    _expect_results_around(check, check.worker(timeout=check.seconds(TIMEOUT)), StallMidBody())
    return "each has its own result"


def _expect_results_around(check: CaseContext, worker: HttpWorker, fault: Fault) -> None:
    """Run a task before and after one that fails because of ``fault``. An executor that keeps its
    connections open has one to use again after the first. The rest of a stalled answer arrives once
    the fault is removed."""
    limit = check.seconds(2 * PATIENCE)

    async def script(remote: Remote) -> None:
        await attempt(remote("before", "before", delivery_timeout=limit))
        with worker.inject(fault) as injected:
            await give_up(remote("failing", delivery_timeout=limit))
        if not injected.hits:  # e.g. a connection that was kept needs no handshake
            return
        # The first alone, then as many at once as use every connection that is kept.
        for names in (("next",), ("second", "third", "fourth")):
            runs = (attempt(remote(name, name, delivery_timeout=limit)) for name in names)
            for name, outcome in zip(names, await asyncio.gather(*runs), strict=True):
                if outcome.value != name:
                    check.fail(f"a run failed ({fault}), and the {name} run after it has {outcome}")

    check.run_script(worker, script, within=4 * PATIENCE)
