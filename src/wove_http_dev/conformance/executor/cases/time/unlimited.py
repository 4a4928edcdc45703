"""A case about a configuration without a timeout: HTTP libraries have one of their own, of 5 s or
more, which an executor must not take over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.waits import wait_until, watch

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

UNANSWERED = 5.5
"""Seconds without an answer: more than the 5 s after which httpx gives up, unless it is told
otherwise. A busy machine needs no more: the limit of a library is not longer there."""


@family.should(
    "30",
    sources.TIMEOUTS,
    scenario=f"a run that the worker answers after {UNANSWERED:g} s; no timeout in executor_config,"
    " no delivery_timeout",
    expected="its result",
)
def no_timeout_of_its_own(check: CaseContext) -> str:
    """Without a timeout in executor_config, the executor sets none."""
    worker = check.worker(timeout=None)
    gate = worker.hold("task")

    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment)
        def task() -> str:
            return "late"

    weave = check.weave(worker, define)
    if not wait_until(lambda: bool(gate.runs), check.seconds(PATIENCE)):
        raise NotApplicable("the run did not arrive", needs=["frames.01"])
    seconds = min(UNANSWERED, check.silence(UNANSWERED))
    early = watch(lambda: weave.ended, seconds)
    gate.release()
    if early:
        check.fail(
            f"no timeout was configured, and a run that had not been answered for {seconds:.1f} s"
            f" ended: {weave.outcome()}"
        )
    check.expect_end(weave, PATIENCE, "a weave whose run was answered")
    outcome = weave.outcome()
    if outcome.value != "late":
        check.fail(f"a run was answered after {seconds:.1f} s, and has {outcome}")
    return str(outcome)
