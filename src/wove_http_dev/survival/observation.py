"""``Observer``: what the client and the workers saw of one run of a test."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from types import CodeType, FrameType
from typing import Any, NamedTuple

from wove_http_dev.client.observed_weaves import Attempt, ObservedWeave, WeaveObserver, observed
from wove_http_dev.client.wove_config import url_of
from wove_http_dev.errors import WaitTimeoutError
from wove_http_dev.faults.fault import Fault
from wove_http_dev.printable import printable
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.records import FINISHED, Run
from wove_http_dev.survival.identity import has_identity, parts, same_value
from wove_http_dev.survival.returned import Call, Caller, Returned
from wove_http_dev.worker_side import WorkerSide

JOURNAL_LIMIT = 20_000
"""Characters of the workers' reports that an observation keeps."""
HISTORY_LIMIT = 100_000
"""Objects, at most, that runs of a test gave to it and that are remembered."""
SETTLE_TIME = 10.0
"""Seconds, at most, until the bodies of a run have ended. A body that lasts longer counts as
stalled."""


@dataclass(frozen=True)
class Executed:
    """A run, as the worker's journal had it when the test had ended."""

    task: str
    args: bytes | str | None
    """Two runs with equal arguments have equal ones here."""
    executions: int
    faults: tuple[str, ...]
    idempotency_key: str | None
    run_id: str = ""


@dataclass(frozen=True)
class Foreign:
    """A result that Wove accepted for a task, and that its run did not give."""

    task: str
    reason: str


class Delivered(NamedTuple):
    """An object in a result that Wove accepted for a task."""

    value: Any
    task: str
    sent: Collection[bytes]
    """Hashes of what the weave sent for the task, as in :attr:`ObservedWeave.sent`."""


@dataclass
class History:
    """What the runs of one test gave, of limited size."""

    delivered: dict[int, Delivered] = field(default_factory=dict)
    """By ``id``, the objects that Wove delivered."""
    answers: dict[CodeType, list[Call]] = field(default_factory=dict)
    """By function, the calls by the test that made and returned an object."""
    sent: dict[str, set[bytes]] = field(default_factory=dict)
    """By task, hashes of what weaves sent in which the task gave a result."""
    _size: int = 0

    def add(self, observation: Observation) -> None:
        """Add what a run gave, unless that makes more than :data:`HISTORY_LIMIT` objects."""
        answers = [
            call
            for call in observation.calls
            if call.returned
            and has_identity(call.value)
            and not (call.is_argument or call.is_global)
            and not _had_before(call, observation.callers)
        ]
        self._size += len(observation.delivered) + len(answers)
        if self._size <= HISTORY_LIMIT:
            self.delivered.update(observation.delivered)
            for call in answers:
                self.answers.setdefault(call.code, []).append(call)
            for weave in observation.weaves:
                for task, sent in list(weave.sent.items()):  # one in the background may go on
                    if task in weave.outcomes and weave.outcomes[task].kind == "result":
                        self.sent.setdefault(task, set()).update(sent)


@dataclass
class Observation:
    """What was seen of one run of a test. It keeps references to the values, so that their
    identities stay valid; forget it when the test has been tried with every fault."""

    seconds: float = 0.0
    weaves: list[ObservedWeave] = field(default_factory=list)
    """In the order in which they began."""
    calls: list[Call] = field(default_factory=list)
    """The calls by the test itself."""
    callers: Mapping[ObservedWeave, list[Caller]] = field(default_factory=dict)
    """The functions around each weave of the test's thread, the innermost first."""
    runs: list[Executed] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)
    hits: list[tuple[Fault, int]] = field(default_factory=list)
    """The faults that were injected, each with the number of requests and connections hit."""
    redirected: int = 0
    """Requests that arrived at the second origin."""
    stuck: bool = False
    """Whether the watchdog had to end the run."""
    released: list[ObservedWeave] = field(default_factory=list)
    """The weaves that had not ended when the watchdog released what was stalled."""
    journal: str = ""
    """The reports of the workers."""
    history: History = field(default_factory=History)
    """What earlier runs of the test, and this one, gave; all runs of a test share it."""
    delivered: dict[int, Delivered] = field(default_factory=dict)
    """By ``id``, the objects that this run delivered."""


class Observer(WeaveObserver):
    """Observes one run of a test, clean or with a fault, until the block ends.

    ``function`` is the test's function, ``fixtures`` are those of its fixtures: what the functions
    that they call return is observed in the thread that enters the block. ``clean`` is the
    observation of the run without a fault. ``observation`` is complete at the end of the block.
    """

    def __init__(
        self,
        clean: Observation | None = None,
        *,
        function: Callable[..., Any] | None = None,
        fixtures: Iterable[Callable[..., Any]] = (),
    ) -> None:
        self.observation = Observation()
        if clean is not None:
            self.observation.history = clean.history
        self._returned = Returned(function, fixtures)
        self.observation.calls = self._returned.calls
        self.observation.callers = self._returned.callers
        self._workers: dict[WorkerSide, _Runs] = {}
        self._lock = threading.RLock()
        self._begun = 0.0
        self._stack = ExitStack()

    def watch(self, worker: WorkerSide) -> None:
        """Observe ``worker`` too, from now on. Does nothing if it is observed already."""
        if worker not in self._workers:
            runs = _Runs({run.run_id for run in worker.all_runs})
            self._workers[worker] = runs
            worker.journal.observe(runs)
            self._stack.callback(worker.journal.stop_observing, runs)

    def watchdog_fired(self) -> None:
        """Note that the run did not end by itself: call this just before its stalled requests are
        released. Thread-safe."""
        with self._lock:
            self.observation.stuck = True
            self.observation.released += [
                weave
                for weave in self.observation.weaves
                if weave.ended is None and weave not in self.observation.released
            ]

    def settle(self) -> None:
        """Wait until the bodies of the tasks have ended, at most :data:`SETTLE_TIME` seconds, and
        note what the workers have recorded. A run that a fault in force, or a hold, keeps from
        starting is not waited for.

        Call it when the test's function has ended and the fault is removed, before its workers are
        stopped or reset. The end of the block does it too.
        """
        for worker, runs in self._workers.items():
            if runs.settled:
                continue
            runs.settled = True
            for injection in worker.injections:
                self.observation.hits += [(each, injection.hits) for each in injection.faults]
                self.observation.redirected += len(injection.redirected)
            in_force = [each.name for i in worker._state.faults.active for each in i.faults]
            runs.add(worker.runs)
            with suppress(WaitTimeoutError):
                worker.journal.wait(
                    partial(runs.ended, in_force),
                    SETTLE_TIME,
                    "the end of the tasks' bodies",
                )
            runs.add(worker.runs)
            if len(self.observation.journal) < JOURNAL_LIMIT:
                text = printable(worker.report(), keep="\n")
                self.observation.journal = f"{self.observation.journal}{text}\n"[:JOURNAL_LIMIT]

    def __enter__(self) -> Observer:
        self._begun = time.monotonic()
        self._stack.enter_context(observed(self))
        self._stack.enter_context(self._returned.observing())
        return self

    def __exit__(self, *exc_info: object) -> None:
        observation = self.observation
        observation.seconds = time.monotonic() - self._begun
        with self._stack:
            self.settle()
        observation.runs = [run for runs in self._workers.values() for run in runs.executed()]
        observation.history.add(observation)

    def weave_begun(self, weave: ObservedWeave, frame: FrameType | None) -> None:
        """Note ``weave``, and the functions around it."""
        with self._lock:
            self.observation.weaves.append(weave)
        self._returned.weave_begun(weave, frame)

    def attempt_ended(self, weave: ObservedWeave, attempt: Attempt) -> None:
        """Compare the value of ``attempt`` with that of its run."""
        if not attempt.delivered:
            return
        worker = self._worker_of(attempt.environment)
        if worker is None:
            return
        reason = self._compare(worker, attempt, weave.sent.get(attempt.task, ()))
        if reason:
            with self._lock:
                self.observation.foreign.append(Foreign(attempt.task, reason))

    def _worker_of(self, environment: str) -> WorkerSide | None:
        for worker in self._workers:
            if worker.environment == environment:
                return worker
        url = (url_of(environment) or "").partition("?")[0]  # of one that the user has defined
        for worker in self._workers:
            if url in {each.partition("?")[0] for each in worker._urls}:
                return worker
        return None

    def _compare(self, worker: WorkerSide, attempt: Attempt, sent: Collection[bytes]) -> str:
        """Note the objects that ``attempt`` delivers for what was ``sent``, before the application
        gets them. Return why they are not what its run gave; empty if they are."""
        run = self._workers[worker].by_id.get(attempt.run_id)
        if run is None or run.state not in FINISHED:
            worker._host.flush_journal()  # the journal of an isolated worker follows its replies
            run = self._workers[worker].by_id.get(attempt.run_id)
        reason, given = _difference(run, attempt.value)
        shared = {id(each) for each in parts(given)}
        with self._lock:
            for each in parts(attempt.value):
                if id(each) not in shared:
                    self.observation.delivered[id(each)] = Delivered(each, attempt.task, sent)
        return reason


def _had_before(call: Call, callers: Mapping[ObservedWeave, list[Caller]]) -> bool:
    """Whether a variable had the value that ``call`` returned before its first weave began, as that
    of an object from a pool: no task gave it."""
    around = callers.get(call.weaves[0], ()) if call.weaves else ()
    return any(call.value is each for caller in around for each in caller.variables)


def _difference(run: Run | None, value: Any) -> tuple[str, Any]:
    """Return why ``value`` is not the result of ``run``, or an empty text if it is, or if the
    result is not known; and the result itself, unpickled again."""
    if run is None:
        return "no run of the journal has its id", None
    if run.stubbed:
        return "", None
    if run.state != "succeeded":
        return f"its run was {run.state}, and gave none", None
    try:
        given = run.result
    except Exception:  # dropped, or what a class does when it is unpickled
        return "", None
    same = same_value(given, value) or same_value(_in_json(given), value)
    return ("" if same else "its run gave another value"), given


def _in_json(value: Any) -> Any:
    """Return ``value`` as a client has it from a worker in another language, which sends JSON."""
    try:
        return json.loads(json.dumps(value))
    except Exception:  # no JSON, or what a user's class raises
        return value


class _Runs(JournalObserver):
    """The runs of one worker, while one test runs: a reset of the worker does not remove them.
    ``before`` has the ids of those that were there before the test."""

    def __init__(self, before: Collection[str]) -> None:
        self._before = before
        self.by_id: dict[str, Run] = {}
        self.settled = False
        self._args: dict[str, bytes] = {}

    def run_added(self, run: Run) -> None:
        if not run.initial_value:
            self.by_id[run.run_id] = run
            self._args[run.run_id] = run.args_pickle  # the journal may drop it later

    def add(self, runs: Any) -> None:
        """Add those of ``runs`` that were not reported when they began (of another process)."""
        for run in runs:
            if run.run_id not in self.by_id and run.run_id not in self._before:
                self.run_added(run)

    def ended(self, in_force: Collection[str]) -> bool:
        return all(
            run.state in (*FINISHED, "held")
            or (run.state == "received" and not set(in_force).isdisjoint(run.faults))
            for run in list(self.by_id.values())
        )

    def executed(self) -> list[Executed]:
        return [
            Executed(
                run.task_id,
                self._args.get(run.run_id) or run.args_text,
                run.executions,
                tuple(run.faults),
                run.delivery.get("delivery_idempotency_key"),
                run.run_id,
            )
            for run in self.by_id.values()
        ]
