"""Time cases: a timeout is the end of it, whatever the worker does.

Stalls last until the case is judged, so a weave that waits for them is late for certain.
"""

from __future__ import annotations

import asyncio
import time as clock
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from wove_http_dev.conformance.case import MUST, SHOULD, Family
from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.context import MARGIN, CaseContext, attempt
from wove_http_dev.conformance.executor.weaving import Remote, Told, Weaving
from wove_http_dev.faults import Fault
from wove_http_dev.faults.events import EmptyEvents, MissingRunId, MissingTerminal, WrongRunId
from wove_http_dev.faults.fault import Wire
from wove_http_dev.faults.run import Hang
from wove_http_dev.faults.wire import SlowBody, StallMidBody
from wove_http_dev.worker import HttpWorker

if TYPE_CHECKING:
    from wove.context import WoveContextManager as Weave

time = Family("time")
SHORT = 0.5
"""Seconds: the timeout that each case is about."""
LIMIT = 64 * 2**20
"""Bytes of one answer that are too many for any executor; what our own worker accepts as well."""


def _weave(check: CaseContext, worker: HttpWorker, **options: Any) -> Weaving:
    def define(w: Weave, environment: str) -> None:
        @w.do(environment=environment, **options)
        def task() -> str:
            return "the result"

    return check.weave(worker, define)


def _bounded(check: CaseContext, weaving: Weaving, what: str) -> Told:
    """The weave ends by its one timeout of :data:`SHORT`."""
    if not weaving.wait(SHORT + MARGIN):
        check.fail(f"{SHORT + MARGIN:g} s after it began the weave had not ended: {what}")
    told = weaving.told()
    if told.kind == "result":
        check.fail(f"{what}, and the weave has {told}")
    return told


def _times(number: str, name: str, level: Any, fault: Fault, which: str, what: str) -> None:
    def body(check: CaseContext) -> str:
        timeout = {"both": 30.0, "timeout": SHORT, "delivery_timeout": None}[which]
        worker = check.worker(timeout=timeout)
        worker.inject(fault)
        options = {} if which == "timeout" else {"delivery_timeout": SHORT}
        told = _bounded(check, _weave(check, worker, **options), f"{what}; it waits for the worker")
        return f"{told}, after {check.last_weave.seconds:.2f} s"

    in_force = {
        "both": f"delivery_timeout {SHORT:g} s, the executor's timeout 30 s",
        "timeout": f"the executor's timeout {SHORT:g} s, no delivery_timeout",
        "delivery_timeout": f"delivery_timeout {SHORT:g} s, no timeout of the executor's",
    }[which]
    body.__doc__ = f"The shortest timeout ends the weave though {what}."
    time.case(
        number,
        name,
        level,
        sources.TIMEOUTS,
        sent=f"a weave of one task; {what}; {in_force}",
        expected=f"an error, and the weave's end within {SHORT + MARGIN:g} s",
    )(body)


_HANGS = "the worker never answers"
_DRIPS = "the answer drips, a byte every 0.1 s"
_STALLS = "half of the answer comes, and then nothing"
_times("01", "hang", MUST, Hang(), "both", _HANGS)
_times("02", "hang-no-timeout", MUST, Hang(), "delivery_timeout", _HANGS)
_times("03", "hang-timeout", MUST, Hang(), "timeout", _HANGS)
_times("04", "drip", MUST, SlowBody(bytes=1, interval=0.1), "both", _DRIPS)
_times("05", "drip-timeout", SHOULD, SlowBody(bytes=1, interval=0.1), "timeout", _DRIPS)
_times("12", "stall-timeout", MUST, StallMidBody(), "timeout", _STALLS)


@time.case(
    "06",
    "no-terminal-frame",
    MUST,
    f"{sources.PROTOCOL}: a response should include a terminal frame; {sources.TIMEOUTS}",
    sent=f"runs whose answers have no terminal frame for them; the executor's timeout {SHORT:g} s,"
    " no delivery_timeout",
    expected="an error for each: the answer is there, and nothing will follow it",
)
def no_terminal_frame(check: CaseContext) -> str:
    """A run whose answer does not say how it ended is an error, not a wait without end."""
    worker = check.worker(timeout=SHORT)
    faults = {
        fault.name.replace("-", "_"): fault
        for fault in (MissingTerminal(), EmptyEvents(), WrongRunId(), MissingRunId())
    }
    for name, fault in faults.items():
        worker.inject(fault, task=f"merge:{name}")

    async def script(remote: Remote) -> dict[str, Told | None]:
        runs = {name: asyncio.ensure_future(attempt(remote(name))) for name in faults}
        await asyncio.wait(runs.values(), timeout=SHORT + MARGIN)
        told = {name: run.result() if run.done() else None for name, run in runs.items()}
        for run in runs.values():
            run.cancel()
        return told

    told = check.script(worker, script)
    hanging = [name.replace("_", "-") for name, each in told.items() if each is None]
    if hanging:
        check.fail(
            "a response without a terminal frame for its run leaves the run waiting for ever"
            f" ({', '.join(hanging)}): the executor's timeout does not end it"
        )
    for name, each in told.items():
        if each.kind == "result":
            check.fail(f"a run without a terminal frame ({name}) has {each}")
    return str(told["missing_terminal"])


@dataclass(frozen=True)
class EndlessBody(Fault):
    """The body does not end before :data:`LIMIT` and one more block."""

    stage: ClassVar[str] = "wire"
    command: ClassVar[str | None] = "run_task"  # what a cancel_task reads is not counted with it
    sent: list[int] = field(default_factory=list)

    def on_wire(self, wire: Wire) -> None:
        """Send until the client has had enough."""
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        block = b" " * 2**20
        while sum(self.sent) <= LIMIT:
            wire.send(block)
            self.sent.append(len(block))
        wire.close()


@time.case(
    "07",
    "endless-body",
    SHOULD,
    sources.EXHAUSTION,
    sent=f"a run whose answer is {LIMIT // 2**20} MiB of blanks, and no end in sight",
    expected="the executor stops reading before that",
)
def endless_body(check: CaseContext) -> str:
    """The size of an answer is limited."""
    worker = check.worker()
    fault = EndlessBody()
    worker.inject(fault)
    told = check.one(worker, within=20.0, delivery_timeout=5.0)
    if sum(fault.sent) > LIMIT:
        check.fail(f"the executor read {LIMIT // 2**20} MiB of one answer and did not stop: {told}")
    return f"stopped before {sum(fault.sent) // 2**20} MiB: {told}"


class Heartbeat:
    """Ticks in the event loop; ``longest`` is the longest time that it could not, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def __aenter__(self) -> Heartbeat:
        self._task = asyncio.ensure_future(self._beat())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0.02)  # one more beat, to see what blocked last
        self._task.cancel()

    async def _beat(self) -> None:
        last = clock.monotonic()
        while True:
            await asyncio.sleep(0.01)
            now = clock.monotonic()
            self.longest, last = max(self.longest, now - last), now
