"""A case about what a failed run leaves behind: its connection and its thread have ended, wherever
it failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.errors import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.existing import GROWN, Existing
from wove_http_dev.faults import Fault
from wove_http_dev.faults.connection import HandshakeClose, UntrustedCa
from wove_http_dev.faults.response import InvalidJson, Status
from wove_http_dev.faults.wire import ResetBeforeResponse, StallMidBody, TruncatedBody

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

RUNS = GROWN + 4
"""Runs that fail at once; each has a connection, or a thread, or both."""
TIMEOUT = 0.5
"""Seconds of the executor's timeout."""
SETTLING = 1.0
"""Seconds within which threads and connections must end after a weave."""
FAILURES: tuple[Fault, ...] = (
    UntrustedCa(),
    HandshakeClose(),
    Status(500),
    InvalidJson(),
    TruncatedBody(),
    ResetBeforeResponse(),
    StallMidBody(),
)


@family.should(
    "26",
    sources.EXHAUSTION,
    scenario=f"weaves of {RUNS} runs each, which fail at once:"
    f" {', '.join(map(str, FAILURES))}; the executor's timeout {TIMEOUT:g} s",
    expected=f"fewer than {GROWN} additional threads or descriptors, {SETTLING:g} s after each",
    alone=True,
)
def left_open(check: CaseContext) -> str:
    """A run that fails leaves no thread and no connection behind."""
    worker = check.worker(timeout=TIMEOUT)
    definition = check.definition(worker, {})
    limit = check.seconds(PATIENCE)

    def define(w: Weave, environment: str) -> None:
        @w.do(range(RUNS), environment=environment, delivery_timeout=limit)
        def task(item: int) -> int:
            return item

    for warm_up in (True, False):
        # What an executor makes once, for its first weave or its first failure, is not counted.
        before = Existing()
        for fault in FAILURES[:1] if warm_up else FAILURES:
            with worker.inject(fault):
                weave = check.weave(worker, define, definition=definition)
                check.expect_end(weave, 2 * PATIENCE, f"a weave of {RUNS} runs with {fault}")
            # After the fault, because a worker that stalls does not see that its client has left.
            more = before.more_after(TIMEOUT + check.seconds(SETTLING))
            if more and not warm_up:
                check.fail(
                    f"{RUNS} runs have failed ({fault}), and there are {more} than before them:"
                    " what was open for them is not closed",
                    late=True,
                )
    return str(before)
