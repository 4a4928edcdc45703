"""Cases about several runs at once: each is sent without waiting for the others and gets its own
result."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Define, Remote
from wove_http_dev.conformance.executor.cases.routing import family
from wove_http_dev.conformance.executor.context import CaseContext, attempt, wait_until_async
from wove_http_dev.runs.holds import Gate
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

ITEMS = 100
NAMES = ("first", "second", "third")
ARRIVED = 1.5
"""Seconds within which a run reaches the worker."""


@family.must(
    "01",
    sources.RUNTIME,
    scenario=f"a task mapped over {ITEMS} items",
    expected=f"{ITEMS} results, one for each item, in order",
)
def mapped(check: CaseContext) -> str:
    """When many runs are executing at once, each gets its own result."""
    worker = check.worker()

    def define(w: Weave, environment: str) -> None:
        @w.do(range(ITEMS), environment=environment, delivery_timeout=check.seconds(6.0))
        def squared(item: int) -> tuple[int, int]:
            return item, item * item

    weave = check.weave(worker, define)
    check.expect_end(weave, 15.0, f"a weave mapped over {ITEMS} items")
    outcome = weave.outcome("squared")
    expected = [(item, item * item) for item in range(ITEMS)]
    if outcome.value != expected:
        if outcome.kind == "result" and len(outcome.value) == ITEMS:
            index = next(i for i in range(ITEMS) if outcome.value[i] != expected[i])
            check.fail(f"item {index} got the result {outcome.value[index]!r}: runs were mixed up")
        check.fail(
            f"{len(worker.runs)} of {ITEMS} runs arrived and were answered, and the weave has"
            f" {outcome}: answers were lost or mixed up"
        )
    return f"{ITEMS} right results"


@family.must(
    "02",
    sources.RUNTIME,
    scenario="two weaves at once over one worker, tasks of the same name, 20 items each",
    expected="each weave has its own results",
)
def two_weaves(check: CaseContext) -> str:
    """Two weaves that use the same worker do not affect each other."""
    worker = check.worker()

    def tagged(tag: str) -> Define:
        def define(w: Weave, environment: str) -> None:
            @w.do(range(20), environment=environment, delivery_timeout=check.seconds(6.0))
            def task(item: int) -> tuple[str, int]:
                return tag, item

        return define

    weaves = {tag: check.weave(worker, tagged(tag)) for tag in ("one", "two")}
    for tag, weave in weaves.items():
        check.expect_end(weave, 15.0, "one of two weaves at once")
        outcome = weave.outcome()
        if outcome.value != [(tag, item) for item in range(20)]:
            check.fail(f"weave {tag!r} of two at once has {outcome}")
    return "each has its own results"


def _arrived(gate: Gate) -> bool:
    return bool(gate.runs)


async def _three(
    check: CaseContext, worker: HttpWorker, remote: Remote
) -> tuple[list[Gate], list[Any]]:
    """Start three runs, each once the previous one has arrived. The worker holds them. Return two
    lists: the gates, whose ``release()`` lets a run continue, and the outcomes as futures."""
    gates, runs = [], []
    arrived = check.seconds(ARRIVED)
    limit = (len(NAMES) + 1) * arrived
    for name in NAMES:
        gates.append(worker.hold(f"merge:{name}"))
        runs.append(asyncio.ensure_future(attempt(remote(name, name, delivery_timeout=limit))))
        await wait_until_async(partial(_arrived, gates[-1]), arrived)
    return gates, runs


@family.must(
    "09",
    sources.RUNTIME,
    scenario="three runs at once, answered in the opposite order",
    expected="each has its own result",
)
def out_of_order(check: CaseContext) -> str:
    """Each answer goes to its own run, in any order of the answers."""
    worker = check.worker()

    async def script(remote: Remote) -> str:
        gates, runs = await _three(check, worker, remote)
        if not all(map(_arrived, gates)):
            raise NotApplicable(
                "the three runs were never at the worker at the same time", needs=["routing.10"]
            )
        for name, gate, run in reversed(list(zip(NAMES, gates, runs, strict=True))):
            gate.release()
            outcome = await run
            what = f"three runs were answered in the opposite order, and the {name} one has"
            if outcome.kind == "result" and outcome.value in NAMES and outcome.value != name:
                check.fail(f"{what} {outcome}, which belongs to another run: runs were mixed up")
            if outcome.value != name:
                check.fail(f"{what} {outcome}: its answer was lost or given to another run")
        return "each has its own results"

    return str(check.run_script(worker, script, within=10.0))


@family.must(
    "10",
    sources.RUNTIME,
    scenario="three runs at once that the worker does not answer",
    expected=f"all three run_task frames, each within {ARRIVED:g} s",
)
def side_by_side(check: CaseContext) -> str:
    """A run is sent at once, even while other runs wait for their answers."""
    worker = check.worker()

    async def script(remote: Remote) -> int:
        gates, runs = await _three(check, worker, remote)
        arrived = sum(map(_arrived, gates))
        for gate in gates:
            gate.release()
        await asyncio.gather(*runs)
        return arrived

    arrived = check.run_script(worker, script, within=10.0)
    if arrived < len(NAMES):
        check.fail(
            f"of three runs at once only {arrived} arrived at the worker: the next one was not sent"
            " until those had been answered"
        )
    return "three at once"
