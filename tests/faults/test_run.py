"""Run faults, from the client's side."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.faults.helpers import error_of
from tests.support import TIMEOUT, answer, run_frame, signed_request, weave_one
from wove_http_dev import FAULTS, Fault, HttpWorker
from wove_http_dev.faults.fault import RunStage
from wove_http_dev.pytest_plugin import WorkerFactory
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Exchange


@pytest.mark.parametrize("fault", ["crash-before-run", "crash-after-run"])
def test_a_crashed_worker_serves_after_start(wove_http_worker: HttpWorker, fault: str) -> None:
    """After a crash ``start()`` serves on the same port."""
    wove_http_worker.inject(fault, times=1)
    error_of()
    wove_http_worker.start()
    assert weave_one() == (1, 2)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ("crash-before-run", "lost"),
        ("crash-after-run", "succeeded"),
        ("lost-response", "succeeded"),
    ],
)
def test_the_journal_tells_whether_it_ran(
    wove_http_worker: HttpWorker, fault: str, state: str
) -> None:
    """The journal distinguishes a lost response from a run that never ran."""
    wove_http_worker.inject(fault, times=1)
    error_of()
    assert wove_http_worker.runs.last.state == state


def test_a_lost_response_is_retried_and_runs_twice(wove_http_worker: HttpWorker) -> None:
    """A retry after a lost response runs the task a second time."""
    wove_http_worker.inject("lost-response", times=1)
    weave_one(retries=1)
    assert [run.executions for run in wove_http_worker.runs] == [1, 1]


@pytest.mark.wove_http(idempotency=True)
@pytest.mark.parametrize("fault", ["lost-response", "duplicate-run"])
def test_idempotency(wove_http_worker: HttpWorker, fault: str) -> None:
    """With ``idempotency=True`` and a key, a task that is delivered twice runs once."""
    wove_http_worker.inject(fault, times=1)
    value = weave_one(retries=1, delivery_idempotency_key="key")
    assert (value, sum(run.executions for run in wove_http_worker.runs)) == ((1, 2), 1)


def test_a_duplicate_run_runs_twice_for_one_command(wove_http_worker: HttpWorker) -> None:
    """One run_task runs the body twice."""
    wove_http_worker.inject("duplicate-run")
    weave_one()
    assert [run.executions for run in wove_http_worker.runs] == [2]


def test_saturation_says_when_to_retry(wove_http_worker_factory: WorkerFactory) -> None:
    """Retries succeed once the saturation has passed."""
    worker = wove_http_worker_factory()
    worker.inject("saturated", times=2)
    assert weave_one(retries=2) == (1, 2)


def answered_cancel(worker: HttpWorker, pool: ThreadPoolExecutor) -> Exchange:
    """Hold the task of a weave until a cancel was answered; return the cancel's exchange."""

    def cancels() -> list[Exchange]:
        return [e for e in worker.journal.exchanges if e.frame_type == "cancel_task" and e.status]

    with worker.hold("task"):
        # While it is tried again, the cancel goes out.
        pool.submit(weave_one, delivery_timeout=0.2, retries=20)
        worker.journal.wait(lambda: bool(cancels()), TIMEOUT, "an answer to a cancel")
    return cancels()[0]


def test_an_ignored_cancel_leaves_the_run_running(
    wove_http_worker: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """The run continues after the executor cancelled it."""
    wove_http_worker.inject("ignore-cancel")
    answered_cancel(wove_http_worker, pool)
    run = wove_http_worker.wait_for("task", state="succeeded")[0]
    assert run.cancel_requested is False


def test_a_refused_cancel_is_answered_with_its_status(
    wove_http_worker: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """The cancel's response has the fault's HTTP status."""
    wove_http_worker.inject("refuse-cancel status=409")
    assert answered_cancel(wove_http_worker, pool).status == 409


def test_a_slow_cancel_is_released_by_reset(wove_http_worker_factory: WorkerFactory) -> None:
    """``reset()`` ends the wait of 60 s."""
    worker = wove_http_worker_factory(timeout=30.0)
    worker.hold("task")
    slow = worker.inject("slow-cancel delay=60")

    def reset_when_hit() -> None:
        worker.journal.wait(lambda: slow.hits > 0, 10, "a cancel")
        worker.reset()

    resetting = threading.Thread(target=reset_when_hit)
    resetting.start()
    with suppress(Exception):  # reset() frees the held run too; either outcome will do
        weave_one(delivery_timeout=0.2, retries=1)
    resetting.join(10)
    assert (slow.hits > 0, resetting.is_alive()) == (True, False)


def test_a_hang_ends_when_it_is_removed(wove_http_worker: HttpWorker) -> None:
    """``Injection.remove()`` lets the run continue."""
    hang = wove_http_worker.inject("hang")
    results: list[object] = []
    weaving = threading.Thread(target=lambda: results.append(weave_one()))
    weaving.start()
    wove_http_worker.wait_for("task", state="received")
    hang.remove()
    weaving.join(10)
    assert results == [(1, 2)]


def test_an_unrequested_cancellation_leaves_the_weave(wove_http_worker: HttpWorker) -> None:
    """The weave raises CancelledError, even with ``error_mode="return"``."""
    wove_http_worker.inject("task-cancelled")
    with pytest.raises(asyncio.CancelledError):
        weave_one()


@pytest.mark.parametrize("name", [name for name, kind in FAULTS.items() if kind.stage == "run"])
def test_a_fault_that_crashes_says_so(wove_http_worker_factory: WorkerFactory, name: str) -> None:
    """The worker is stopped after a fault with ``crashes``, and after no other."""
    worker = wove_http_worker_factory(timeout=0.3, delivery_timeout=0.5, strict=False)
    injection = worker.inject(FAULTS[name]())
    for _ in range(20):  # on a busy machine a request may arrive after the executor's timeout
        with suppress(Exception, asyncio.CancelledError):
            weave_one()
        if injection.hits:
            break
    assert worker.running is not FAULTS[name].crashes


@dataclass(frozen=True)
class LateCrash(Fault):
    """Crashes the worker when ``go`` is set."""

    stage: ClassVar[str] = "run"
    crashes: ClassVar[bool] = True
    stalled: ClassVar[threading.Event]
    go: ClassVar[threading.Event]
    done: ClassVar[threading.Event]

    def on_run(self, stage: RunStage) -> Outcome:
        """Wait, and then crash."""
        self.stalled.set()
        self.go.wait(TIMEOUT)
        try:
            stage.crash()
        finally:
            self.done.set()


@pytest.mark.parametrize("crash_first", [False, True], ids=["restart", "crash and start"])
def test_a_late_crash_does_not_end_the_next_life(
    plain_worker: HttpWorker,
    pool: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    crash_first: bool,
) -> None:
    """A fault's crash ends only the life of the worker in which its request arrived."""
    for name in ("stalled", "go", "done"):
        monkeypatch.setattr(LateCrash, name, threading.Event(), raising=False)
    plain_worker.inject(LateCrash(), times=1)
    pending = pool.submit(signed_request, plain_worker, run_frame(answer))
    assert LateCrash.stalled.wait(TIMEOUT)
    if crash_first:
        plain_worker.crash()
        plain_worker.start()
    else:
        plain_worker.restart()
    LateCrash.go.set()
    assert LateCrash.done.wait(TIMEOUT)
    assert (signed_request(plain_worker, run_frame(answer)).result, plain_worker.running) == (
        42,
        True,
    )
    with suppress(OSError, ValueError):
        pending.result(TIMEOUT)
