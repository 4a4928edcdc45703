"""Cases about timeouts: the shortest of those that are set ends the weave, even if the worker never
answers.

A worker that stalls does so until the case is decided, so a weave that waits for its answer is
certainly late.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.background_weave import BackgroundWeave, Remote
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import MARGIN, CaseContext
from wove_http_dev.conformance.executor.raw_answers import RewrittenAnswer
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.waits import attempt, wait_until
from wove_http_dev.faults import Fault
from wove_http_dev.faults.events import EmptyEvents, MissingRunId, MissingTerminal, WrongRunId
from wove_http_dev.faults.fault import Wire
from wove_http_dev.faults.run import Hang, SlowCancel
from wove_http_dev.faults.wire import SlowBody, StallMidBody
from wove_http_dev.weave_outcome import WeaveOutcome
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

SHORT = 0.5
"""Seconds of the timeout that a case checks."""
GIVEN_UP = 0.15
"""Seconds of the ``delivery_timeout`` of a run that is given up."""
LIMIT = (256 + 16) * 2**20
"""A number of bytes that is too many for an executor to read as an answer: four times the size of
a request that a worker accepts, and less than the memory of a small machine. The 16 MiB are more
than what the sockets hold when an executor with a limit of 256 MiB stops reading."""
READING = 20.0
"""Seconds of the ``delivery_timeout`` while :data:`LIMIT` bytes arrive, so that it is a limit on
the size that ends the reading."""


class Timeouts(NamedTuple):
    """The executor's ``timeout``, the timeouts among the task's options, and a description of both
    for reports."""

    executor: float | None
    task: dict[str, float]
    words: str


BOTH = Timeouts(
    30.0,
    {"delivery_timeout": SHORT},
    f"delivery_timeout {SHORT:g} s, the executor's timeout 30 s",
)
EXECUTOR_ONLY = Timeouts(SHORT, {}, f"the executor's timeout {SHORT:g} s, no delivery_timeout")
DELIVERY_ONLY = Timeouts(
    None,
    {"delivery_timeout": SHORT},
    f"delivery_timeout {SHORT:g} s, the executor has no timeout",
)


class Stall(NamedTuple):
    """A fault that delays the answer, and the timeouts that are set meanwhile. ``words`` describes
    the answer in reports."""

    name: str
    fault: Fault
    timeouts: Timeouts
    words: str


HANGS = "the worker never answers"
DRIPS = "the answer drips, a byte every 0.1 s"
STALLS = "half of the answer arrives, and then nothing"
SLOW_BODY = SlowBody(bytes=1, interval=0.1)
DRIP_TIMEOUT = Stall("drip-timeout", SLOW_BODY, EXECUTOR_ONLY, DRIPS)


def _weave(check: CaseContext, worker: HttpWorker, **options: Any) -> BackgroundWeave:
    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment, **options)
        def task() -> str:
            return "the result"

    return check.weave(worker, define)


@family.each(
    {
        "01": Stall("hang", Hang(), BOTH, HANGS),
        "02": Stall("hang-no-timeout", Hang(), DELIVERY_ONLY, HANGS),
        "03": Stall("hang-timeout", Hang(), EXECUTOR_ONLY, HANGS),
        "04": Stall("drip", SLOW_BODY, BOTH, DRIPS),
        "12": Stall("stall-timeout", StallMidBody(), EXECUTOR_ONLY, STALLS),
    },
    sources.TIMEOUTS,
    name="{0.name}",
    scenario="a weave of one task; {0.words}; {0.timeouts.words}",
    expected=f"an error, and the weave's end within {SHORT + MARGIN:g} s",
)
def ended_by_timeout(check: CaseContext, stall: Stall) -> str:
    """The shortest timeout ends the weave although {0.words}."""
    worker = check.worker(timeout=stall.timeouts.executor)
    worker.inject(stall.fault)
    weave = _weave(check, worker, **stall.timeouts.task)
    limit = SHORT + check.seconds(MARGIN)
    if not weave.wait(limit):
        check.fail(
            f"{limit:g} s after it began the weave had not ended: {stall.words}; it waits"
            " for the worker",
            late=True,
        )
    outcome = weave.outcome()
    if outcome.kind == "result":
        check.fail(f"{stall.words}; instead of an error the weave has {outcome}")
    return f"{outcome}, after {weave.seconds:.2f} s"


@family.should(
    "05",
    sources.TIMEOUTS,
    scenario=f"a weave of one task; {DRIPS}; {EXECUTOR_ONLY.words}",
    expected=f"an error, and the weave's end within {SHORT + MARGIN:g} s",
)
def drip_timeout(check: CaseContext) -> str:
    """The executor's timeout ends the weave although the answer drips, a byte every 0.1 s."""
    return ended_by_timeout(check, DRIP_TIMEOUT) or ""


@family.must(
    "06",
    f"{sources.PROTOCOL}: a response should include a terminal frame; {sources.TIMEOUTS}",
    scenario="runs whose answers have no terminal frame for them; the executor's timeout"
    f" {SHORT:g} s, no delivery_timeout",
    expected="an error for each run, because nothing follows the answer",
)
def no_terminal_frame(check: CaseContext) -> str:
    """A run whose answer has no terminal frame ends with an error instead of waiting for ever."""
    worker = check.worker(timeout=SHORT)
    faults: dict[str, Fault] = {
        fault.name.replace("-", "_"): fault
        for fault in (MissingTerminal(), EmptyEvents(), WrongRunId(), MissingRunId())
    }
    faults["null_events"] = RewrittenAnswer("without events", lambda _: b'{"events": null}')
    for name, fault in faults.items():
        worker.inject(fault, task=f"merge:{name}")

    async def script(remote: Remote) -> dict[str, WeaveOutcome | None]:
        runs = {name: asyncio.ensure_future(attempt(remote(name))) for name in faults}
        await asyncio.wait(runs.values(), timeout=SHORT + check.seconds(MARGIN))
        outcomes = {name: run.result() if run.done() else None for name, run in runs.items()}
        for run in runs.values():
            run.cancel()
        return outcomes

    outcomes = check.run_script(worker, script, planned=SHORT)
    hanging = [name.replace("_", "-") for name, each in outcomes.items() if each is None]
    if hanging:
        check.fail(
            "a response without a terminal frame for its run leaves the run waiting for ever"
            f" ({', '.join(hanging)}): the executor's timeout does not end it",
            late=True,
        )
    for name, outcome in outcomes.items():
        if outcome.kind == "result":
            check.fail(f"a run without a terminal frame ({name}) has {outcome}")
    return str(outcomes["missing_terminal"])


@dataclass(frozen=True)
class EndlessBody(Fault):
    """Sends a body that ends only after :data:`LIMIT` bytes and one more block."""

    stage: ClassVar[str] = "wire"
    command: ClassVar[str | None] = "run_task"  # the answer to a cancel_task is not counted
    sent: list[int] = field(default_factory=list, repr=False)

    def on_wire(self, wire: Wire) -> None:
        """Send blocks until the client stops reading."""
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        block = b" " * 2**20
        while sum(self.sent) <= LIMIT:
            wire.send(block)
            self.sent.append(len(block))
        wire.close()

    def __str__(self) -> str:
        return self.name


@family.should(
    "07",
    sources.EXHAUSTION,
    scenario=f"a run whose answer is {LIMIT // 2**20} MiB of blanks and does not end there",
    expected="the executor stops reading before the end",
    alone=True,
)
def endless_body(check: CaseContext) -> str:
    """The size of an answer is limited."""
    worker = check.quick_worker(timeout=check.seconds(READING))
    fault = EndlessBody()
    worker.inject(fault)
    outcome = check.run_one_weave(
        worker, planned=check.seconds(READING), delivery_timeout=check.seconds(READING)
    )
    if sum(fault.sent) > LIMIT:
        check.fail(
            f"the executor read {LIMIT // 2**20} MiB of one answer and did not stop, so it has no"
            f" limit below that: {outcome}"
        )
    return f"stopped before {sum(fault.sent) // 2**20} MiB: {outcome}"


@family.must(
    "16",
    sources.TIMEOUTS,
    scenario="two weaves of two tasks that are given up, with require_ack, and whose cancel_tasks"
    " are not answered, or only half; one weave is cancelled meanwhile; the executor's timeout"
    f" {SHORT:g} s",
    expected="the end of both weaves in time",
)
def unanswered_cancel(check: CaseContext) -> str:
    """The executor's timeout is also that of a cancel_task whose answer a weave waits for."""
    weaves = []
    for _ in range(2):
        worker = check.worker(timeout=SHORT)
        worker.hold()
        worker.inject(SlowCancel(delay=60.0), task="silent")
        worker.inject(StallMidBody(), task="half", command="cancel_task")
        weaves.append((worker, check.weave(worker, _given_up)))
    worker, cancelled = weaves[1]
    wait_until(lambda: bool(frames_of(worker, "cancel_task")), check.seconds(MARGIN))
    cancelled.cancel(0.0)
    limit = GIVEN_UP + 2 * SHORT + check.seconds(MARGIN)
    for (_, weave), words in zip(weaves, ("", ", and was cancelled itself"), strict=True):
        if not weave.wait(limit):
            check.fail(
                f"{limit:.1f} s after the executor's timeout had begun a weave waits for the answer"
                f" to a cancel_task, which never comes{words}",
                late=True,
            )
    return f"after {max(weave.seconds for _, weave in weaves):.2f} s"


def _given_up(w: Weave, environment: str) -> None:
    """Add two tasks that are given up."""

    @w.do(environment=environment, delivery_timeout=GIVEN_UP, delivery_cancel_mode="require_ack")
    def silent() -> None:
        """Do nothing."""

    @w.do(environment=environment, delivery_timeout=GIVEN_UP, delivery_cancel_mode="require_ack")
    async def half() -> None:
        """Do nothing."""
