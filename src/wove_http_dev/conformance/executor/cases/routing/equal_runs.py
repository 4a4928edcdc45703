"""A case about runs that look like others: an executor that recognises commands, because it shares
requests or remembers what it has sent, must not take one run for another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Define
from wove_http_dev.conformance.executor.cases.routing import family
from wove_http_dev.conformance.executor.context import PATIENCE, CaseContext
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.waits import wait_until

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

EACH = 2
"""Runs of each task of a weave."""


class Alike:
    """An argument that ``==``, ``hash()`` and ``repr()`` do not tell from others of its type."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alike)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "Alike()"


def _two_tasks(when: str, limit: float) -> Define:
    """Define a task whose runs are equal, and one whose runs have arguments that look equal."""

    def define(w: Weave, environment: str) -> None:
        @w.do(["the same"] * EACH, environment=environment, delivery_timeout=limit)
        def equal(item: str) -> str:
            return item

        items = [Alike(f"{when} {number}") for number in range(EACH)]

        @w.do(items, environment=environment, delivery_timeout=limit)
        def alike(item: Alike) -> str:
            return item.value

    return define


@family.must(
    "20",
    sources.RUNTIME,
    scenario=f"two weaves in a row, on one executor, each with {EACH} equal runs at once (the same"
    f" function and arguments), and {EACH} whose arguments ==, hash() and repr() do not tell apart",
    expected="a run_task for each run, and the result of its own arguments",
)
def equal_runs(check: CaseContext) -> str:
    """Each run is sent, with its own arguments, even if it looks like another one."""
    worker = check.worker()
    definition = check.definition(worker, {})
    limit = check.seconds(2 * PATIENCE)
    for number, when in enumerate(("first", "second"), start=1):
        # Held, because an executor may share a request only while it is open.
        gate = worker.hold("equal")
        weave = check.weave(worker, _two_tasks(when, limit), definition=definition)
        wait_until(lambda: len(gate.runs) == EACH or weave.ended, check.seconds(PATIENCE))  # noqa: B023
        gate.release()
        check.expect_end(weave, 2 * PATIENCE, f"a weave of equal runs, the {when} one")
        results = {task: weave.outcome(task) for task in ("equal", "alike")}
        sent = {task: len(frames_of(worker, "run_task", task)) for task in results}
        expected = {
            "equal": ["the same"] * EACH,
            "alike": [f"{when} {item}" for item in range(EACH)],
        }
        for task, outcome in results.items():
            if outcome.kind == "result" and sent[task] != EACH * number:
                check.fail(
                    f"{EACH * number} runs of {task!r} in {number} weaves have results, and"
                    f" {sent[task]} run_task frames arrived: a run was answered with the result of"
                    " another that looked like it, or sent twice"
                )
            if outcome.value != expected[task]:
                check.fail(
                    f"the {when} weave's runs of {task!r} have {outcome}: runs were mixed up"
                )
    return "each on its own"
