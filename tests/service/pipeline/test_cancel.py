"""Cancelling: the responses to the run's request and to the cancel's request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import (
    MODES,
    TIMEOUT,
    HttpResponse,
    answer,
    cancel_frame,
    run_frame,
    signed_request,
    weave_one,
)
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Run
from wove_http_dev.service import active_runs
from wove_http_dev.worker import HttpWorker

RUN_ID = "the-run"


class Bodies:
    """Events with which a test controls the task bodies below."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.release = threading.Event()
        self.cancelled = threading.Event()
        self.ended = threading.Event()


BODIES = Bodies()


@pytest.fixture(autouse=True)
def bodies(monkeypatch: pytest.MonkeyPatch, worker: HttpWorker) -> Any:
    """New events for each test; bodies that still wait are released before the worker stops."""
    fresh = Bodies()
    monkeypatch.setattr(f"{__name__}.BODIES", fresh)
    yield fresh
    fresh.release.set()


# Bodies; sent by reference, so they see this module's BODIES.


def sync_body() -> str:
    bodies = BODIES
    bodies.started.set()
    bodies.release.wait(TIMEOUT)
    bodies.ended.set()
    return "late"


async def async_body() -> str:
    bodies = BODIES
    bodies.started.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        bodies.cancelled.set()
        raise
    return "never"


async def stubborn_body() -> str:
    """A task that ignores its cancellation until ``release`` is set."""
    bodies = BODIES
    bodies.started.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        bodies.release.wait(TIMEOUT)
        bodies.ended.set()
        raise
    return "never"


BOTH = pytest.mark.parametrize("body", [sync_body, async_body], ids=["sync", "async"])
LASTING = pytest.mark.parametrize("body", [sync_body, stubborn_body], ids=["sync", "async"])
MODE = pytest.mark.parametrize("mode", MODES)


class Client:
    """Sends the run and the cancel."""

    def __init__(self, worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
        self._worker = worker
        self._pool = pool

    def run(
        self, body: Callable[..., Any], run_id: str = RUN_ID, task: str = "task"
    ) -> Future[HttpResponse]:
        """Send a run from another thread; return its response as a future."""
        frame = run_frame(body, run_id=run_id, task=task)
        return self._pool.submit(signed_request, self._worker, frame)

    def running(self, body: Callable[..., Any]) -> Future[HttpResponse]:
        """Send a run from another thread, and wait until its body has started."""
        future = self.run(body)
        assert BODIES.started.wait(TIMEOUT)
        return future

    def cancel(self, mode: str, run_id: str = RUN_ID) -> HttpResponse:
        """Send a cancel and wait for its response."""
        return signed_request(self._worker, cancel_frame(run_id, mode=mode))


@pytest.fixture
def client(worker: HttpWorker, pool: ThreadPoolExecutor) -> Client:
    return Client(worker, pool)


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(active_runs, "CANCEL_GRACE", 0.05)


@pytest.fixture
def ends_on_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that ends as soon as its cancel has been recorded."""
    original = Execution.cancel

    def cancel(execution: Execution, **words: Any) -> None:
        original(execution, **words)
        BODIES.release.set()

    monkeypatch.setattr(Execution, "cancel", cancel)


# best_effort


@BOTH
def test_best_effort_run_is_cancelled(client: Client, body: Callable[..., Any]) -> None:
    """The run's response ends with task_cancelled."""
    run = client.running(body)
    client.cancel("best_effort")
    assert run.result(TIMEOUT).terminal == "task_cancelled"


@BOTH
def test_best_effort_cancel_is_empty(client: Client, body: Callable[..., Any]) -> None:
    """The cancel's response has an empty body."""
    client.running(body)
    assert client.cancel("best_effort").body == b""


def test_best_effort_reaches_an_async_body(client: Client) -> None:
    """An async body sees CancelledError."""
    client.running(async_body)
    client.cancel("best_effort")
    assert BODIES.cancelled.wait(TIMEOUT)


@LASTING
def test_best_effort_does_not_wait(client: Client, body: Callable[..., Any]) -> None:
    """The run's response comes although the body still runs."""
    run = client.running(body)
    client.cancel("best_effort")
    run.result(TIMEOUT)
    assert not BODIES.ended.is_set()


@LASTING
def test_abandoned_run_is_marked(
    client: Client, worker: HttpWorker, body: Callable[..., Any]
) -> None:
    """The journal says that the body was still running when the response was sent."""
    run = client.running(body)
    client.cancel("best_effort")
    run.result(TIMEOUT)
    assert worker.runs.last.abandoned


def test_abandoned_run_is_marked_in_time(client: Client, worker: HttpWorker) -> None:
    """The mark is there when the journal reports the end of the run."""
    found = []

    class Observer(JournalObserver):
        def run_finished(self, run: Run, outcome: Outcome) -> None:
            found.append(run.abandoned)

    worker.journal.observe(Observer())
    run = client.running(sync_body)
    client.cancel("best_effort")
    run.result(TIMEOUT)
    assert found == [True]


def test_late_result_stays_out_of_the_journal(client: Client, worker: HttpWorker) -> None:
    """A cancelled run stays cancelled when its body returns later."""
    run = client.running(sync_body)
    client.cancel("best_effort")
    run.result(TIMEOUT)
    BODIES.release.set()
    worker.stop()  # joins the thread of the body
    assert worker.runs.last.state == "cancelled"


def test_late_result_reaches_no_other_run(client: Client, worker: HttpWorker) -> None:
    """The next run's response has events of that run only, even if the cancelled body returns
    during it."""
    run = client.running(sync_body)
    client.cancel("best_effort")
    run.result(TIMEOUT)
    with worker.hold("later") as gate:
        later = client.run(answer, run_id="later-run", task="later")
        gate.wait_arrived()
        BODIES.release.set()
        assert BODIES.ended.wait(TIMEOUT)
    assert {event["run_id"] for event in later.result(TIMEOUT).events} == {"later-run"}


# require_ack


@BOTH
@pytest.mark.usefixtures("ends_on_cancel")
def test_require_ack_cancel_waits_for_the_end(client: Client, body: Callable[..., Any]) -> None:
    """The cancel's response ends with task_cancelled once the body has ended."""
    client.running(body)
    assert client.cancel("require_ack").terminal == "task_cancelled"


@BOTH
@pytest.mark.usefixtures("ends_on_cancel")
def test_require_ack_run_is_cancelled(client: Client, body: Callable[..., Any]) -> None:
    """The run's response ends with task_cancelled, even if the body returned a value."""
    run = client.running(body)
    client.cancel("require_ack")
    assert run.result(TIMEOUT).terminal == "task_cancelled"


@pytest.mark.usefixtures("ends_on_cancel")
def test_require_ack_run_is_not_abandoned(client: Client, worker: HttpWorker) -> None:
    """A body whose end was waited for is not marked as abandoned."""
    run = client.running(sync_body)
    client.cancel("require_ack")
    run.result(TIMEOUT)
    assert not worker.runs.last.abandoned


@LASTING
@pytest.mark.usefixtures("short_grace")
def test_require_ack_after_the_grace(client: Client, body: Callable[..., Any]) -> None:
    """A cancel that has waited for the whole grace period gets an empty list of events."""
    client.running(body)
    assert client.cancel("require_ack").document == {"events": []}


@LASTING
@pytest.mark.usefixtures("short_grace")
def test_require_ack_run_waits_for_the_end(client: Client, body: Callable[..., Any]) -> None:
    """The run has no response while its body runs, even after the cancel's grace period."""
    run = client.running(body)
    client.cancel("require_ack")
    assert not run.done()


@LASTING
@pytest.mark.usefixtures("short_grace")
def test_require_ack_run_after_the_grace(client: Client, body: Callable[..., Any]) -> None:
    """When the body ends after the grace period the run's response ends with task_cancelled."""
    run = client.running(body)
    client.cancel("require_ack")
    BODIES.release.set()
    assert run.result(TIMEOUT).terminal == "task_cancelled"


# Runs that are held, unknown or over


@MODE
def test_held_run_is_cancelled(client: Client, worker: HttpWorker, mode: str) -> None:
    """The response of a run that is held at a gate ends with task_cancelled."""
    gate = worker.hold()
    run = client.run(sync_body)
    gate.wait_arrived()
    client.cancel(mode)
    assert run.result(TIMEOUT).terminal == "task_cancelled"


@MODE
def test_held_run_never_runs(client: Client, worker: HttpWorker, mode: str) -> None:
    """The body of a cancelled held run does not start, not even when the gate opens."""
    gate = worker.hold()
    run = client.run(sync_body)
    gate.wait_arrived()
    client.cancel(mode)
    run.result(TIMEOUT)
    gate.release()
    worker.stop()
    assert not BODIES.started.is_set()


def test_held_run_is_acknowledged(client: Client, worker: HttpWorker) -> None:
    """A require_ack cancel of a body that never started gets task_cancelled at once."""
    gate = worker.hold()
    client.run(sync_body)
    gate.wait_arrived()
    assert client.cancel("require_ack").terminal == "task_cancelled"


@MODE
def test_unknown_run_is_harmless(client: Client, mode: str) -> None:
    """A cancel of an unknown run gets an empty 200."""
    done = client.cancel(mode, run_id="unknown")
    assert (done.status, done.body) == (200, b"")


@MODE
def test_finished_run_is_harmless(client: Client, mode: str) -> None:
    """A cancel of a run that has ended gets an empty 200."""
    client.run(answer).result(TIMEOUT)
    done = client.cancel(mode)
    assert (done.status, done.body) == (200, b"")


@MODE
def test_finished_run_keeps_its_state(client: Client, worker: HttpWorker, mode: str) -> None:
    """A cancel of a run that has ended changes nothing in the journal."""
    client.run(answer).result(TIMEOUT)
    client.cancel(mode)
    assert worker.runs.last.state == "succeeded"


@MODE
def test_cancel_is_requested_in_the_journal(client: Client, worker: HttpWorker, mode: str) -> None:
    """The run in the journal has ``cancel_requested`` set."""
    with worker.hold() as gate:
        client.run(sync_body)
        gate.wait_arrived()
        client.cancel(mode)
        assert worker.runs.last.cancel_requested


def test_cancel_leaves_other_runs_alone(client: Client, worker: HttpWorker) -> None:
    """Only the run that the frame names is cancelled."""
    with worker.hold() as gate:
        run = client.run(answer)
        gate.wait_arrived()
        client.cancel("best_effort", run_id="another")
    assert run.result(TIMEOUT).terminal == "task_result"


# The real executor


def test_executor_cancels_after_its_timeout(
    wove_http_worker: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """When a delivery times out Wove cancels the held run, and its retry is served."""
    with wove_http_worker.hold() as gate:
        # The retry keeps the weave alive: at its end Wove often drops a cancel before sending it.
        result = pool.submit(weave_one, answer, delivery_timeout=0.5, retries=1000)
        gate.wait_arrived(2, timeout=TIMEOUT)
        wove_http_worker.wait_for("answer", "cancelled")
    assert result.result(TIMEOUT) == 42
