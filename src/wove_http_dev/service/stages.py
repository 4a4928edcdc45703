"""Implementations of the stage protocols in ``faults.fault``: the objects passed to fault
methods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn, Protocol

from wove_http_dev.errors import HungUpError
from wove_http_dev.faults.plan import Wait
from wove_http_dev.protocol.authenticator import Authenticator, Verdict
from wove_http_dev.protocol.frames import CancelTask, Event, RunTask
from wove_http_dev.protocol.messages import Request
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.display import RunDisplay
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.forwarding import ForwardedCommand, UpstreamAnswer
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.once import FirstOutcomes
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.records import Run
from wove_http_dev.runs.runner import Runner
from wove_http_dev.runs.steps import Step, Steps, finish
from wove_http_dev.runs.stubs import StubAnswer, Stubs
from wove_http_dev.runs.thread_pool import ThreadPool
from wove_http_dev.service.active_runs import ActiveRuns
from wove_http_dev.service.failures import record_failure


def execution_name(run: Run, note: str = "") -> str:
    """Return the name under which an execution of ``run`` is reported if it does not end."""
    return f"{run.task_id[:200]} ({run.run_id[:200]}{note})"


class StageService(Protocol):
    """The part of the service that the stages call; see ``pipeline.Pipeline``."""

    journal: Journal
    active: ActiveRuns
    threads: ThreadPool
    runner: Runner
    gates: Gates
    stubs: Stubs
    first_outcomes: FirstOutcomes | None
    tracebacks: bool

    def crash(self, life: int, /) -> None: ...

    def before_run(self) -> None: ...


@dataclass(eq=False, repr=False)
class AuthStage:
    """The request that ``Fault.on_auth`` gets: implements ``faults.fault.AuthStage``."""

    request: Request
    _authenticator: Authenticator
    wait: Wait

    def proceed(
        self,
        request: Request | None = None,
        *,
        secret: bytes | None = None,
        clock_offset: float = 0.0,
    ) -> Verdict:
        authenticator = self._authenticator
        if secret is not None or clock_offset:
            authenticator = authenticator.altered(secret=secret, clock_offset=clock_offset)
        return authenticator.verify(request if request is not None else self.request)


@dataclass(eq=False, repr=False)
class RunStage:
    """The accepted ``run_task`` that ``Fault.on_run`` gets: implements
    ``faults.fault.RunStage``."""

    _service: StageService
    _command: RunTask
    run: Run
    _execution: Execution
    wait: Wait
    _life: int
    _forwarded: ForwardedCommand | None = None
    stub_events: list[Event] | None = field(default=None, init=False)

    def proceed(self) -> Outcome:
        return finish(self.steps())

    def steps(self) -> Steps[Outcome]:
        """Do what :meth:`proceed` does, in steps."""
        source = self._service.stubs.find(self.run)
        if source is None:
            return (yield from self._execute(self._execution))
        answers: list[StubAnswer] = []

        def body() -> Outcome:
            self.run.stubbed = True
            answers.append(source(self.run))
            return answers[0].outcome

        outcome = yield from self._step(self._execution, body)
        if answers and answers[0].events is not None and outcome is answers[0].outcome:
            ids = {"run_id": self.run.run_id, "task_id": self.run.task_id}
            self.stub_events = [{**ids, **event} for event in answers[0].events]
        return outcome

    def again(self) -> Outcome:
        name = execution_name(self.run, ", again")
        execution = Execution(name, kills=self._service.runner.kills)
        with self._service.active.executed_by(self.run, execution):
            return finish(self._execute(execution))

    def _execute(self, execution: Execution) -> Steps[Outcome]:
        slot, known = self._service.runner.slot, self._service.first_outcomes

        def body() -> Outcome:
            return self._load_and_run(execution)

        if known is None:
            return self._step(execution, body, slot)

        # A run that waits for the first of its key needs no slot: it would take the first one's.
        def first() -> Outcome:
            with slot(execution):
                return CANCELLED if is_over() else body()

        def is_over() -> bool:
            return execution.cancel_requested or execution.outcome is not None

        known_of = partial(known.of, self._command, first, is_over, execution.on_cancel)
        return self._step(execution, known_of)

    def _step(
        self,
        execution: Execution,
        body: Callable[[], Outcome],
        slot: Callable[[Execution], AbstractContextManager[object]] = nullcontext,
    ) -> Steps[Outcome]:
        """Wait until no gate holds the run and its ``slot`` is free, call ``body``, and return its
        outcome: one step."""
        service, run = self._service, self.run

        def gated() -> Outcome:
            try:
                service.gates.park(run, execution)
            except BaseException as exc:
                record_failure(service.journal, exc)  # else it looks like the task's own error
                raise
            with slot(execution):
                if not execution.begin():
                    return CANCELLED
                service.journal.change(run, "running")
                return body()

        yield Step(service.threads, execution, gated)
        outcome = execution.outcome
        assert outcome is not None
        run.abandoned |= execution.abandoned  # before those who wait for the end look at it
        service.journal.finish(run, outcome)
        return outcome

    def _load_and_run(self, execution: Execution) -> Outcome:
        self._service.before_run()
        run = self.run
        run.executions += 1
        abandoned_before = run.abandoned

        def uncount() -> None:
            # Without self, which has the execution: they would keep each other.
            run.abandoned = abandoned_before
            run.executions -= 1

        execution.uncount = uncount
        journal = self._service.journal
        display = RunDisplay(run, journal) if journal.inspected else None
        body = Body(
            self._command.callable_pickle,
            self._command.args_pickle,
            tracebacks=self._service.tracebacks,
            display=display,
            forwarded=self._forwarded,
        )
        outcome = self._service.runner.run(execution, body)
        if display is not None:
            display.body_ended()
        return outcome

    def crash(self) -> NoReturn:
        self._service.crash(self._life)
        raise HungUpError

    def hang_up(self) -> NoReturn:
        raise HungUpError


@dataclass(eq=False, repr=False)
class CancelStage:
    """The accepted ``cancel_task`` that ``Fault.on_cancel`` gets: implements
    ``faults.fault.CancelStage``."""

    _active: ActiveRuns
    _command: CancelTask
    wait: Wait
    _forward: Callable[[], UpstreamAnswer] | None = None
    """Forwards the command to upstream, if there is one."""
    awaited: bool = field(default=False, init=False)
    answer: UpstreamAnswer | None = field(default=None, init=False)
    """The answer of upstream, if the command was forwarded."""

    def __post_init__(self) -> None:
        self.run_id = self._command.run_id

    def proceed(self) -> list[Event]:
        if self._forward is not None and self._active.is_forwarded(self._command):
            self.answer = self._forward()
            return list(self.answer.events or [])
        events, self.awaited = self._active.cancel(self._command)
        return events


@dataclass
class ResponseStage:
    """What ``Fault.on_reply`` gets beside the reply: implements ``faults.fault.ResponseStage``."""

    request: Request
    wait: Wait
    second_origin: Callable[[], str]


@dataclass
class EventsStage:
    """The run that ``Fault.on_events`` gets beside its frames: implements
    ``faults.fault.EventsStage``."""

    run: Run
    outcome: Outcome
    beside: Callable[[Run], Sequence[Run]]
    wait: Wait

    @property
    def other_runs(self) -> Sequence[Run]:
        return self.beside(self.run)
