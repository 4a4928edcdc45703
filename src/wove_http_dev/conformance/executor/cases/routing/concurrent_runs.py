"""Cases about several runs at once: each is sent without waiting for the others and gets its own
result."""

from __future__ import annotations

import asyncio
import random
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from wove_http_dev.conformance.case import NotApplicable
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import Define, Remote
from wove_http_dev.conformance.executor.cases.routing import family
from wove_http_dev.conformance.executor.context import PATIENCE, POOL_OVERFLOW, CaseContext
from wove_http_dev.conformance.executor.received import has_run
from wove_http_dev.conformance.executor.waits import attempt, wait_until_async
from wove_http_dev.faults import Fault
from wove_http_dev.faults.fault import RunStage
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.weave_outcome import WeaveOutcome
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

ITEMS = POOL_OVERFLOW
ONE_BY_ONE = 8
"""Runs that are answered one after the other, before all others are."""
GAP = 0.3
"""Seconds without another arrival after which no further run is expected before an answer."""
HELD = 60.0
"""Seconds after which a run continues by itself."""
NAMES = ("first", "second", "third")
ARRIVED = 1.5
"""Seconds within which a run reaches the worker."""


@dataclass(frozen=True)
class HeldRuns(Fault):
    """Holds every run until :meth:`release` is called for it, each on its own."""

    stage: ClassVar[str] = "run"
    held: dict[str, threading.Event] = field(default_factory=dict, repr=False)

    def on_run(self, stage: RunStage) -> Outcome:
        """Hold the run, then run the task."""
        self.held[stage.run.run_id] = released = threading.Event()
        released.wait(HELD)
        return stage.proceed()

    @property
    def waiting(self) -> list[str]:
        """The ids of the runs that are held, in the order of their arrival."""
        return [run_id for run_id, released in list(self.held.items()) if not released.is_set()]

    def release(self, *run_ids: str) -> None:
        """Let these runs continue."""
        for run_id in run_ids:
            self.held[run_id].set()

    def __str__(self) -> str:
        return self.name


async def _answer_in_turn(check: CaseContext, held: HeldRuns, runs: list[Any]) -> None:
    """Release the runs: :data:`ONE_BY_ONE` of them one after the other, the last that arrived
    first, and then the others all at once, in a drawn order. Return when all have ended, or when
    nothing more happens."""

    def ended() -> int:
        return sum(run.done() for run in runs)

    arrived = -1
    while arrived < len(held.held) < len(runs):
        arrived = len(held.held)
        await wait_until_async(lambda: len(held.held) > arrived, check.seconds(GAP))  # noqa: B023
    draw = random.Random(1)
    while ended() < len(runs):
        # A run arrives late if an executor sends only some at once.
        limit, before = check.seconds(PATIENCE), ended()
        if not await wait_until_async(lambda: bool(held.waiting), limit):
            break
        waiting = held.waiting[::-1]
        if before >= ONE_BY_ONE:
            draw.shuffle(waiting)
        released = waiting if before >= ONE_BY_ONE else waiting[:1]
        held.release(*released)
        enough = before + len(released)
        if not await wait_until_async(lambda: ended() >= enough, limit):  # noqa: B023
            break


@family.must(
    "01",
    sources.RUNTIME,
    scenario=f"{ITEMS} runs of one task at once, all held by the worker, which answers the last one"
    " first, and others in a drawn order",
    expected=f"{ITEMS} results, each of its own run",
)
def mapped(check: CaseContext) -> str:
    """When many runs are executing at once, each gets its own result."""
    worker, held = check.quick_worker(timeout=HELD), HeldRuns()
    worker.inject(held)

    async def script(remote: Remote) -> tuple[list[WeaveOutcome | None], int]:
        runs = [
            asyncio.ensure_future(attempt(remote("item", (item, item * item))))
            for item in range(ITEMS)
        ]
        try:
            await _answer_in_turn(check, held, runs)
            outcomes = [run.result() if run.done() else None for run in runs]
            return outcomes, sum(run.answered is not None for run in worker.journal.runs)
        finally:
            held.release(*held.held)
            for run in runs:
                run.cancel()

    planned = check.seconds(PATIENCE)
    outcomes, answered = check.run_script(worker, script, within=4 * PATIENCE, planned=planned)
    for item, outcome in enumerate(outcomes):
        if outcome is None or outcome.value == (item, item * item):
            continue
        if outcome.kind == "result":
            check.fail(f"item {item} got the result {outcome.value!r}: runs were mixed up")
        check.fail(f"item {item} was answered, and its run ended with {outcome}")
    missing = outcomes.count(None)
    if answered > ITEMS - missing:
        check.fail(
            f"{answered} of {ITEMS} runs were answered, and only {ITEMS - missing} have ended:"
            " answers were lost or given to other runs",
            late=True,
        )
    if missing:
        raise NotApplicable(f"{missing} of {ITEMS} runs did not arrive", needs=["routing.10"])
    return f"{ITEMS} right results"


@family.must(
    "02",
    sources.RUNTIME,
    scenario="two weaves at once over one worker, tasks of the same name, 20 items each",
    expected="each weave has its own results",
)
def two_weaves(check: CaseContext) -> str:
    """Two weaves that use the same worker do not affect each other."""
    worker = check.quick_worker()

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
        await wait_until_async(partial(has_run, gates[-1]), arrived)
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
        if not all(map(has_run, gates)):
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
                lost = "its answer was lost or given to another run"
                check.fail(f"{what} {outcome}: {lost}")
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
        arrived = sum(map(has_run, gates))
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
