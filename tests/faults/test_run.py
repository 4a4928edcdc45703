"""Run faults, from the client's side."""

from __future__ import annotations

import asyncio
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.faults.helpers import error_of
from tests.support import TIMEOUT, answer, cancel_frame, run_frame, signed_request, weave_one
from wove_http_dev import FAULTS, Fault, HttpWorker
from wove_http_dev.errors import UsageError
from wove_http_dev.faults import Duration, Uniform, drawn
from wove_http_dev.faults.fault import RunStage
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory
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


executions: list[int] = []
hanging = threading.Event()


async def hangs(until: int) -> None:
    """Hang the ``until``-th time."""
    executions.append(until)
    if len(executions) == until:
        hanging.set()
        await asyncio.sleep(10 * TIMEOUT)


@pytest.mark.parametrize(("until", "terminal"), [(1, "task_cancelled"), (2, "task_result")])
def test_a_cancel_ends_both_executions_of_a_duplicate_run(
    wove_http_worker: HttpWorker, pool: ThreadPoolExecutor, until: int, terminal: str
) -> None:
    """A cancel ends the execution that runs, and no other one begins; the first outcome is
    sent."""
    executions.clear()
    hanging.clear()
    wove_http_worker.inject("duplicate-run")
    reply = pool.submit(
        signed_request, wove_http_worker, run_frame(hangs, {"until": until}, run_id="run")
    )
    assert hanging.wait(TIMEOUT)
    signed_request(wove_http_worker, cancel_frame("run", mode="require_ack"))
    assert (reply.result(TIMEOUT).terminal, len(executions)) == (terminal, until)


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
        pool.submit(weave_one, delivery_timeout=0.2, retries=1000)
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
        worker.journal.wait(lambda: slow.hits > 0, TIMEOUT, "a cancel")
        worker.reset()

    resetting = threading.Thread(target=reset_when_hit)
    resetting.start()
    with suppress(Exception):  # reset() frees the held run too; either outcome will do
        weave_one(delivery_timeout=0.2, retries=1000)
    resetting.join(TIMEOUT)
    assert (slow.hits > 0, resetting.is_alive()) == (True, False)


def test_a_hang_ends_when_it_is_removed(wove_http_worker: HttpWorker) -> None:
    """``Injection.remove()`` lets the run continue."""
    hang = wove_http_worker.inject("hang")
    results: list[object] = []
    weaving = threading.Thread(target=lambda: results.append(weave_one()))
    weaving.start()
    wove_http_worker.wait_for("task", state="received")
    hang.remove()
    weaving.join(TIMEOUT)
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


class TestDrawnDelay:
    """A delay that is drawn from a distribution."""

    TEXT = "slow-response delay=0.001..0.002"

    def test_result_arrives(self, wove_http_worker: HttpWorker) -> None:
        """A weave gets its result after the time that was drawn, as the journal says."""
        wove_http_worker.inject(self.TEXT)
        assert weave_one() == (1, 2)
        (numbers,) = wove_http_worker.runs.last.drawn.values()
        assert [0.001 <= each <= 0.002 for each in numbers] == [True]

    def test_worker_waits_so_long(self, wove_http_worker: HttpWorker) -> None:
        """The task starts when the time that was drawn is over, and not before."""
        wove_http_worker.inject("slow-response delay=0.1..0.2")
        weave_one()
        run = wove_http_worker.runs.last
        assert run.started is not None
        assert run.started - run.received >= run.drawn["slow-response delay=0.1..0.2"][0] - 0.01

    def test_a_value(self, wove_http_worker: HttpWorker) -> None:
        """``inject()`` takes a distribution as the value of a field."""
        injection = wove_http_worker.inject("slow-response", delay=Uniform(0.001, 0.002))
        weave_one()
        assert (str(injection.faults[0]), injection.hits) == (self.TEXT, 1)

    def test_the_text_of_a_value(self, wove_http_worker: HttpWorker) -> None:
        """``inject()`` takes the text of a distribution as the value of a field."""
        injection = wove_http_worker.inject("slow-response", delay="0.001..0.002")
        weave_one()
        assert str(injection.faults[0]) == self.TEXT

    def test_wrong_text_of_a_value(self, wove_http_worker: HttpWorker) -> None:
        """A text that is no distribution is refused in one line."""
        with pytest.raises(UsageError, match=r"begins above its end; did you mean 1\.\.2\?"):
            wove_http_worker.inject("slow-response", delay="2..1")

    def test_line_of_the_journal(self, wove_http_worker: HttpWorker) -> None:
        """The line of the exchange has the distribution and the number."""
        wove_http_worker.inject(self.TEXT)
        weave_one()
        exchange = wove_http_worker.exchanges[-1]
        seconds = exchange.drawn[self.TEXT][0]
        assert f"[fault: {self.TEXT} → {seconds:.3g} s]" in exchange.line()

    def test_report(self, wove_http_worker: HttpWorker) -> None:
        """The report has the number, and the seed that gives it again."""
        wove_http_worker.inject(self.TEXT)
        weave_one()
        report = wove_http_worker.report()
        assert f"{self.TEXT} → 0.001" in report
        assert "random faults used --wove-http-seed=0" in report

    def test_stalled_run(self, wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
        """A run that waits now is reported with the number of seconds."""
        slow = wove_http_worker.inject("slow-response delay=normal(mean=500,sd=0.1)")
        weaving = pool.submit(weave_one)
        wove_http_worker.wait_for("task", state="received")
        report = wove_http_worker.report()
        slow.remove()
        assert weaving.result(TIMEOUT) == (1, 2)
        assert "slow-response delay=normal(mean=500,sd=0.1) → 500 s" in report

    @pytest.mark.wove_http_faults("slow-response delay=0.001..0.002")
    def test_a_marker(self, wove_http_worker: HttpWorker) -> None:
        """The marker takes the text."""
        weave_one()
        assert list(wove_http_worker.runs.last.drawn) == [self.TEXT]

    def test_a_users_fault(self, wove_http_worker: HttpWorker) -> None:
        """A fault that a user defines with ``Duration`` gets numbers in its method."""
        wove_http_worker.inject(Paced(pause=Uniform(0.001, 0.002)))
        assert 0.001 <= weave_one(answer) <= 0.002


@dataclass(frozen=True)
class Paced(Fault):
    """Answers with how long it has waited."""

    stage: ClassVar[str] = "run"
    pause: Duration = 0.0

    def on_run(self, stage: RunStage) -> Outcome:
        stage.wait(self.pause)
        stage.proceed()
        return Outcome("result", result_pickle=pickle.dumps(drawn(self.pause)))


def test_a_drawn_retry_after(wove_http_worker_factory: WorkerFactory) -> None:
    """The header has the number that was drawn."""
    worker = wove_http_worker_factory(strict=False)
    worker.inject("saturated retry_after=3..4")
    response = signed_request(worker, run_frame(answer))
    (number,) = worker.exchanges[-1].drawn["saturated retry_after=3..4"]
    assert response.headers["retry-after"] == f"{number:g}"
