"""One case for each fault of the catalogue: the weave ends within its timeouts, with the task's own
result or with an error that its author can handle. What the error says is for ``errors``."""

from __future__ import annotations

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.outcome import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.faults import FAULTS, Fault
from wove_http_dev.weave_outcome import WeaveOutcome

TIMEOUT, DELIVERY_TIMEOUT = 0.4, 0.7
"""Seconds in force: the executor's own, and Wove's for the delivery."""
WITHIN = 4.0
"""Seconds: two attempts at their timeouts, and the longest that a fault takes before it gives way
by itself. Generous: the family ``time`` is about weaves that are late by less."""
RESULT = (1, 2)


class FaultClass:
    """A fault's class, with its summary as text for the requirement."""

    def __init__(self, kind: type[Fault]) -> None:
        self.kind = kind
        self.name = kind.name
        self.summary = kind.summary()


def _weave_with(check: CaseContext, kind: type[Fault]) -> tuple[WeaveOutcome, bool]:
    """The outcome of a weave with the fault in force, and whether the fault acted."""
    worker = check.worker(timeout=TIMEOUT, **kind.worker_options())
    recipe = kind.recipe()
    if recipe.hold:
        worker.hold("task")
    injection = worker.inject(kind())
    outcome = check.run_one_weave(
        worker,
        RESULT,
        within=WITHIN,
        what=f"with {kind.name} the weave hangs: it",
        delivery_timeout=recipe.delivery_timeout or DELIVERY_TIMEOUT,
        retries=recipe.retries,
    )
    return outcome, kind.listener or injection.hits > 0


@family.each(
    [FaultClass(kind) for kind in FAULTS.values()],
    f"{sources.TIMEOUTS}; {sources.EXECUTOR}",
    name="{0.name}",
    scenario="a weave of one task to a worker with the fault {0.name}; the executor's timeout"
    f" {TIMEOUT} s, delivery_timeout {DELIVERY_TIMEOUT} s",
    expected="its result, or an Exception as the task's error, within the timeouts",
)
def weave_ends(check: CaseContext, fault: FaultClass) -> str:
    """The weave ends in order although this happens: {0.summary}"""
    outcome, acted = _weave_with(check, fault.kind)
    if not acted:
        # The machine may have paused for a handshake's whole timeout, which is not a defect.
        outcome, acted = _weave_with(check, fault.kind)
    if outcome.kind == "nothing":
        check.fail("the weave ended without a result and without an error for the task")
    if outcome.escapes:
        check.fail(
            f"{outcome}: it is not an Exception, so it ends the program that runs the weave,"
            " whatever error_mode and retries say"
        )
    if outcome.kind == "result" and outcome.value not in (RESULT, list(RESULT)):
        check.fail(f"the weave has {outcome}, which is not what the task returned")
    if not acted:
        if fault.kind.command == "cancel_task":
            raise NotApplicable("no cancel_task arrived for it to act on (see family cancel)")
        check.fail(
            f"the fault never acted: no request or connection that it acts on arrived; {outcome}"
        )
    return str(outcome)
