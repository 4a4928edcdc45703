"""Cases for each fault in the catalogue: the weave ends within its timeouts, with the task's result
or with an error that its author can handle. What the errors say is checked by the family
``errors``."""

from __future__ import annotations

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.outcome import family
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.faults import FAULTS, Fault
from wove_http_dev.faults.events import TimeoutException
from wove_http_dev.faults.run import TaskCancelled
from wove_http_dev.weave_outcome import WeaveOutcome

TIMEOUT, DELIVERY_TIMEOUT = 0.4, 0.7
"""The executor's ``timeout`` and the task's ``delivery_timeout``, in seconds."""
FACTORS = (1, 4)
"""The factors for both timeouts, one after the other until the fault takes effect; on a busy
machine a request may arrive late."""
WITHIN = 1.8
"""Seconds within which a weave must end after the timeouts of two attempts. This is enough for the
fault that takes longest to end by itself; the family ``time`` checks for smaller delays."""
RESULT = (1, 2)


class FaultClass:
    """A class of faults, with its name and its summary, which becomes part of the requirement."""

    def __init__(self, kind: type[Fault]) -> None:
        self.kind = kind
        self.name = kind.name
        self.summary = kind.summary()


def _weave_with(check: CaseContext, kind: type[Fault], factor: int) -> tuple[WeaveOutcome, bool]:
    """Run a weave of one task while the worker has a fault of class ``kind``; its timeouts are
    multiplied by ``factor``. Return the outcome, and whether the fault took effect."""
    worker = check.worker(timeout=factor * TIMEOUT, **kind.worker_options())
    recipe = kind.recipe()
    if recipe.hold:
        worker.hold("task")
    injection = worker.inject(kind())
    outcome = check.run_one_weave(
        worker,
        RESULT,
        within=WITHIN,
        planned=2 * factor * (TIMEOUT + DELIVERY_TIMEOUT),
        what=f"with {kind.name} the weave hangs: it",
        delivery_timeout=factor * (recipe.delivery_timeout or DELIVERY_TIMEOUT),
        retries=recipe.retries,
    )
    return outcome, kind.listener or injection.hits > 0


CLASSES = [FaultClass(kind) for kind in FAULTS.values()]
LEGAL_ENDS = (TaskCancelled.name, TimeoutException.name)
"""Faults with which the worker's answer is a legal end of the run that Wove's *runtime*, not the
executor, turns into a cancellation."""
SCENARIO = (
    "a weave of one task to a worker with the fault {0.name}; the executor's timeout"
    f" {TIMEOUT} s, delivery_timeout {DELIVERY_TIMEOUT} s"
)
EXPECTED = "the task's result, or an Exception as its error, within the timeouts"


@family.each(
    [fault for fault in CLASSES if fault.name not in LEGAL_ENDS],
    f"{sources.TIMEOUTS}; {sources.EXECUTOR}",
    name="{0.name}",
    scenario=SCENARIO,
    expected=EXPECTED,
)
def weave_ends(check: CaseContext, fault: FaultClass) -> str:
    """The weave ends within its timeouts, with a result or an error, although: {0.summary}"""
    return _weave_ends(check, fault)


@family.each(
    [fault for fault in CLASSES if fault.name in LEGAL_ENDS],
    f"{sources.TIMEOUTS}; {sources.EXECUTOR}",
    level="SHOULD",
    name="{0.name}",
    scenario=SCENARIO,
    expected=EXPECTED,
)
def weave_is_not_cancelled(check: CaseContext, fault: FaultClass) -> str:
    """The weave ends within its timeouts, with a result or an error, although: {0.summary} An
    executor may hand this on as it came; Wove's runtime then raises CancelledError out of the
    weave, which only an executor that reports an error instead prevents."""
    return _weave_ends(check, fault)


def _weave_ends(check: CaseContext, fault: FaultClass) -> str:
    for factor in FACTORS:
        outcome, acted = _weave_with(check, fault.kind, factor)
        if acted:
            break
    if outcome.kind == "nothing":
        check.fail("the weave ended without a result and without an error for the task")
    if outcome.escapes:
        check.fail(
            f"{outcome}: it is not an Exception, so it ends the program that runs the weave,"
            " regardless of error_mode and retries"
        )
    if outcome.kind == "result" and outcome.value not in (RESULT, list(RESULT)):
        check.fail(f"the result of the weave is {outcome}, which is not what the task returned")
    if not acted:
        if fault.kind.command == "cancel_task":
            raise NotApplicable("no cancel_task arrived for it to act on", needs=["cancel.01"])
        check.fail(
            f"the fault never acted: no request or connection that it acts on arrived; {outcome}"
        )
    return str(outcome)
