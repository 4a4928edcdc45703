"""Outcome cases: one for each fault of the catalogue. Whatever the worker does, the weave ends
within its timeouts, with the task's own result or an error that its author can handle.

It knows how long a fault may take, and nothing of what the error should say (family ``errors``).
"""

from __future__ import annotations

from wove_http_dev.conformance.case import MUST, Family, NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.weaving import Told
from wove_http_dev.faults import FAULTS, Fault

outcome = Family("outcome")
TIMEOUT, DELIVERY_TIMEOUT = 0.4, 0.7
"""Seconds in force: the executor's own, and Wove's for the delivery."""
WITHIN = 4.0
"""Seconds: two attempts at their timeouts, and the longest that a fault takes before it gives way
by itself. Generous: that a weave is late by less is family ``time``'s to see."""
RESULT = (1, 2)


def _told(check: CaseContext, kind: type[Fault]) -> tuple[Told, bool]:
    """What the weave says, and whether the fault has struck."""
    worker = check.worker(timeout=TIMEOUT, **kind.worker_options())
    recipe = kind.recipe()
    if recipe.hold:
        worker.hold("task")
    injection = worker.inject(kind())
    told = check.one(
        worker,
        RESULT,
        within=WITHIN,
        what=f"with {kind.name} the weave hangs: it",
        delivery_timeout=recipe.delivery_timeout or DELIVERY_TIMEOUT,
        retries=recipe.retries,
    )
    return told, kind.listener or injection.hits > 0


def _body(check: CaseContext, kind: type[Fault]) -> str:
    told, struck = _told(check, kind)
    if not struck:
        # A machine that stood still for a handshake's whole timeout is no executor's fault.
        told, struck = _told(check, kind)
    if told.kind == "nothing":
        check.fail("the weave ended without a result and without an error for the task")
    if told.error is not None and not isinstance(told.error, Exception):
        check.fail(
            f"{told}: it is no Exception, so it ends the program that runs the weave, whatever"
            " error_mode and retries say"
        )
    if told.kind == "result" and told.value not in (RESULT, list(RESULT)):
        check.fail(f"the weave has {told}, which is not what the task returned")
    if not struck:
        if kind.command == "cancel_task":
            raise NotApplicable("no cancel_task arrived for it to act on (see family cancel)")
        check.fail(f"the fault did not come to act: nothing of its kind arrived; {told}")
    return str(told)


def _add(name: str, kind: type[Fault]) -> None:
    def body(check: CaseContext) -> str:
        return _body(check, kind)

    body.__doc__ = f"The weave ends in order although this happens: {kind.summary()}"
    outcome.case(
        "",
        name,
        MUST,
        f"{sources.TIMEOUTS}; {sources.EXECUTOR}",
        sent=f"a weave of one task to a worker with the fault {name}; the executor's timeout"
        f" {TIMEOUT} s, delivery_timeout {DELIVERY_TIMEOUT} s",
        expected="its result, or an Exception as the task's error, within the timeouts",
    )(body)


for _name, _kind in FAULTS.items():
    _add(_name, _kind)
