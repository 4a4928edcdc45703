"""The stage objects that faults get, and the effect of their ``proceed()``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import cloudpickle
import pytest

from tests.run_records import make_run
from tests.support import TIMEOUT, answer
from wove_http_dev.errors import HungUpError
from wove_http_dev.faults.distributions import Duration
from wove_http_dev.protocol.authenticator import SIGNED_HEADERS, Authenticator, sign
from wove_http_dev.protocol.credentials import credentials
from wove_http_dev.protocol.frames import CancelTask, RunTask, loads
from wove_http_dev.protocol.headers import Headers
from wove_http_dev.protocol.messages import Request
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.once import FirstOutcomes
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.runner import Runner, ThreadRunner
from wove_http_dev.runs.stubs import Stubs, make_source
from wove_http_dev.runs.thread_pool import ThreadPool
from wove_http_dev.service.active_runs import ActiveRuns
from wove_http_dev.service.stages import AuthStage, CancelStage, RunStage

SECRET, NOW, TARGET, BODY = "correct-horse", 1_700_000_000.0, "/wove/tasks", b"{}"


def never_wait(seconds: Duration | None) -> bool:
    """A wait that ends at once."""
    return False


class FakeService:
    """The service of a stage; counts calls."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.active = ActiveRuns()
        self.threads = ThreadPool()
        self.runner: Runner = ThreadRunner()
        self.gates = Gates(self.journal)
        self.stubs = Stubs()
        self.first_outcomes: FirstOutcomes | None = None
        self.crashed: list[int] = []
        self.loaded: list[None] = []
        self.crash: Callable[[int], None] = self.crashed.append
        self.tracebacks = True
        self.before_run: Callable[[], None] = lambda: self.loaded.append(None)


@pytest.fixture
def service() -> Iterator[FakeService]:
    """A service without stubs."""
    service = FakeService()
    yield service
    service.threads.stop(TIMEOUT)


@pytest.fixture
def run_stage(service: FakeService) -> RunStage:
    """The stage of a run that returns 42."""
    command = RunTask("run-1", "task", cloudpickle.dumps(answer), cloudpickle.dumps({}))
    run, execution = make_run(), Execution("task")
    service.active.add(run, execution, service.active.life)
    return RunStage(service, command, run, execution, never_wait, 3)


@pytest.fixture
def auth_stage() -> AuthStage:
    """The stage of a request that is signed correctly."""
    stamp = str(int(NOW))
    signature = sign(SECRET.encode(), target=TARGET, body=BODY, timestamp=stamp, nonce="n")
    headers = Headers(zip(SIGNED_HEADERS, ("default", stamp, "n", signature), strict=True))
    authenticator = Authenticator(credentials("signed", secret=SECRET), clock=lambda: NOW)
    return AuthStage(Request("POST", TARGET, headers, BODY), authenticator, never_wait)


def result(outcome: Outcome) -> Any:
    """The result of ``outcome``."""
    assert outcome.result_pickle is not None
    return loads(outcome.result_pickle)


def test_auth_proceeds(auth_stage: AuthStage) -> None:
    """``proceed()`` verifies the request."""
    assert auth_stage.proceed().accepted


@pytest.mark.parametrize("words", [{"secret": b"other"}, {"clock_offset": 1000.0}], ids=str)
def test_auth_with_another_secret_or_clock(auth_stage: AuthStage, words: dict[str, Any]) -> None:
    """``proceed()`` verifies with the given secret, or with a clock that is off."""
    assert not auth_stage.proceed(**words).accepted


def test_auth_of_another_request(auth_stage: AuthStage) -> None:
    """``proceed(request)`` verifies that request instead."""
    headers = auth_stage.request.headers.without("X-Wove-Key")
    assert not auth_stage.proceed(Request("POST", TARGET, headers, BODY)).accepted


def test_run_proceeds(run_stage: RunStage) -> None:
    """``proceed()`` runs the task."""
    assert result(run_stage.proceed()) == 42


def test_executions_are_counted(run_stage: RunStage) -> None:
    """``again()`` runs the task once more, and the run counts both."""
    run_stage.proceed()
    run_stage.again()
    assert run_stage.run.executions == 2


def test_before_run(run_stage: RunStage, service: FakeService) -> None:
    """``before_run`` is called for each execution of the task."""
    run_stage.proceed()
    run_stage.again()
    assert len(service.loaded) == 2


class Slots(ThreadRunner):
    """A runner that notes for which executions a slot was asked for."""

    def __init__(self) -> None:
        self.wanted: list[Execution] = []

    def slot(self, execution: Execution) -> AbstractContextManager[object]:
        self.wanted.append(execution)
        return nullcontext()


def test_slot(run_stage: RunStage, service: FakeService) -> None:
    """Each execution of the task needs a slot."""
    service.runner = slots = Slots()
    run_stage.proceed()
    run_stage.again()
    assert len({*slots.wanted}) == 2


def test_no_slot_for_a_stub(run_stage: RunStage, service: FakeService) -> None:
    """A stub's answer needs no slot."""
    service.runner = slots = Slots()
    service.stubs.add("task", make_source(result=7))
    run_stage.proceed()
    assert slots.wanted == []


def test_no_slot_for_a_repeated_key(service: FakeService) -> None:
    """A run that gets the outcome of the first one of its key needs no slot."""
    service.runner, service.first_outcomes = (slots := Slots()), FirstOutcomes()
    delivery = {"delivery_idempotency_key": "k"}
    for _ in range(2):
        command = RunTask(
            "run-1", "task", cloudpickle.dumps(answer), cloudpickle.dumps({}), delivery=delivery
        )
        RunStage(service, command, make_run(), Execution("task"), never_wait, 3).proceed()
    assert len(slots.wanted) == 1


def test_cancelled_before_there_was_a_slot(service: FakeService) -> None:
    """The first run of a key that is cancelled while it waits for a slot does not start."""
    execution = Execution("task")

    class Full(ThreadRunner):
        def slot(self, execution: Execution) -> AbstractContextManager[object]:
            execution.cancel(wait_for_end=True)
            return nullcontext()

    service.runner, service.first_outcomes = Full(), FirstOutcomes()
    command = RunTask("run-1", "task", cloudpickle.dumps(answer), cloudpickle.dumps({}))
    stage = RunStage(service, command, make_run(), execution, never_wait, 3)
    assert (stage.proceed().kind, stage.run.executions) == ("cancelled", 0)


def test_stub_answers(run_stage: RunStage, service: FakeService) -> None:
    """A stub answers in place of the task."""
    service.stubs.add("task", make_source(result=7))
    assert (result(run_stage.proceed()), service.loaded) == (7, [])


def test_stub_events(run_stage: RunStage, service: FakeService) -> None:
    """A stub's events get the run's ids if they have none."""
    service.stubs.add("task", make_source(events=[{"type": "heartbeat", "task_id": "other"}]))
    run_stage.proceed()
    assert run_stage.stub_events == [{"type": "heartbeat", "run_id": "run-1", "task_id": "other"}]


def test_crash(run_stage: RunStage, service: FakeService) -> None:
    """``crash()`` crashes the service, and no response is sent."""
    with pytest.raises(HungUpError):
        run_stage.crash()
    assert service.crashed == [3]


def test_hang_up(run_stage: RunStage) -> None:
    """``hang_up()`` ends the request without a response."""
    with pytest.raises(HungUpError):
        run_stage.hang_up()


def test_cancel_proceeds() -> None:
    """``proceed()`` cancels the run and records whether its end was waited for."""
    active = ActiveRuns()
    active.add(make_run(), Execution("task"), active.life)
    stage = CancelStage(active, CancelTask("run-1", cancel_mode="require_ack"), never_wait)
    assert (stage.proceed()[0]["run_id"], stage.awaited) == ("run-1", True)
