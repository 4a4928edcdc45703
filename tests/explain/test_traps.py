"""Settings of Wove's that do not do over http what they say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.run_records import FAILED, make_run, returned
from wove_http_dev.explain.traps import traps
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.worker import HttpWorker

SUCCEEDED = returned(1)


@pytest.fixture
def idle() -> HttpWorker:
    """A worker that was not started."""
    return HttpWorker()


def ran(
    worker: HttpWorker,
    outcome: Outcome,
    *,
    executions: int = 1,
    lasted: float = 1.0,
    **delivery: Any,
) -> None:
    """Add a run that ended in ``outcome`` to the worker's journal."""
    run = make_run("render", run_id=f"run-{len(worker.journal.runs)}")
    run.delivery = delivery
    run.executions = executions
    worker.journal.add_run(run)
    run.cancel_requested = outcome is CANCELLED
    worker.journal.finish(run, outcome)
    run.finished = run.received + lasted


def test_none(idle: HttpWorker) -> None:
    """Ordinary runs are no trap."""
    ran(idle, SUCCEEDED)
    ran(idle, FAILED)
    assert traps([idle]) == []


def test_fork(idle: HttpWorker) -> None:
    """The whole text about a forked weave; a task is named once."""
    idle.forked_tasks.extend(["render", "render", "store"])
    assert traps([idle, idle]) == [
        "a weave with fork=True has the task 'render', 'store': it runs in a child process, which"
        " has no wove.config, so the task never reaches the worker; use background=True alone"
    ]


def test_heartbeat(idle: HttpWorker) -> None:
    """The whole text about a task that took longer than its heartbeat."""
    ran(idle, SUCCEEDED, lasted=2.0, delivery_heartbeat_seconds=1.5)
    assert traps([idle]) == [
        "the task 'render' took longer than its delivery_heartbeat_seconds=1.5, and failed: over"
        " http its heartbeats come with its result, so none can be in time; leave that setting out"
    ]


def test_heartbeat_of_a_cancelled_run(idle: HttpWorker) -> None:
    """A run that Wove cancelled lasted a little less than the heartbeat."""
    ran(idle, CANCELLED, lasted=1.49, delivery_heartbeat_seconds=1.5)
    assert len(traps([idle])) == 1


@pytest.mark.parametrize(
    ("outcome", "seconds"), [(SUCCEEDED, 3.0), (CANCELLED, 5.0), (SUCCEEDED, "1"), (SUCCEEDED, -1)]
)
def test_right_heartbeat(idle: HttpWorker, outcome: Outcome, seconds: Any) -> None:
    """A heartbeat that is longer than the task, or that is no number, is no trap."""
    ran(idle, outcome, lasted=2.0, delivery_heartbeat_seconds=seconds)
    assert traps([idle]) == []


def test_idempotency_key(idle: HttpWorker) -> None:
    """The whole text about a key whose task ran again after it had succeeded."""
    ran(idle, SUCCEEDED, delivery_idempotency_key="report-7")
    ran(idle, SUCCEEDED, delivery_idempotency_key="report-7")
    assert traps([idle]) == [
        "the task 'render' ran 2 times for delivery_idempotency_key='report-7': Wove only sends the"
        " key; a worker must answer a repeated one from its first outcome, as this one does with"
        " idempotency=True"
    ]


def test_redelivery(idle: HttpWorker) -> None:
    """One command whose task ran twice is the same trap."""
    ran(idle, SUCCEEDED, executions=2, delivery_idempotency_key="report-7")
    assert len(traps([idle])) == 1


@pytest.mark.parametrize(
    ("first", "executions", "key"),
    [(FAILED, 1, "a"), (CANCELLED, 1, "a"), (SUCCEEDED, 0, "a"), (SUCCEEDED, 1, "b")],
    ids=["failed", "cancelled", "answered", "other-key"],
)
def test_right_idempotency_key(idle: HttpWorker, first: Outcome, executions: int, key: str) -> None:
    """A retry after a failure, an answer without a run, and another key are no trap."""
    ran(idle, first, delivery_idempotency_key="a")
    ran(idle, SUCCEEDED, executions=executions, delivery_idempotency_key=key)
    assert traps([idle]) == []


def test_one_text_of_a_kind(idle: HttpWorker) -> None:
    """Each kind of trap is said once, however often it was stepped into."""
    for key in ("a", "a", "b", "b"):
        ran(idle, SUCCEEDED, lasted=2.0, delivery_idempotency_key=key, delivery_heartbeat_seconds=1)
    idle.forked_tasks.append("render")
    assert len(traps([idle])) == 3


def test_hostile_names(idle: HttpWorker) -> None:
    """Names and keys are escaped and shortened."""
    idle.forked_tasks.extend(f"\x1b{number}" + "x" * 1000 for number in range(10))
    ran(idle, SUCCEEDED, executions=2, delivery_idempotency_key="\n" + "y" * 1000)
    forked, repeated = traps([idle])
    assert (forked.isprintable(), repeated.isprintable()) == (True, True)
    assert len(forked) + len(repeated) < 2500
