"""The runs whose requests are being served."""

from __future__ import annotations

import pytest

from tests.run_records import make_run
from wove_http_dev.errors import DuplicateRunError, UnavailableError
from wove_http_dev.protocol.frames import CancelTask
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.service.active_runs import ActiveRuns


@pytest.fixture
def active() -> ActiveRuns:
    return ActiveRuns()


def test_id_in_use(active: ActiveRuns) -> None:
    """A second run with the id of an active one is refused."""
    active.add(make_run(), Execution("convert"), active.life)
    with pytest.raises(DuplicateRunError, match="run-1"):
        active.add(make_run(), Execution("convert"), active.life)


def test_id_of_a_removed_run(active: ActiveRuns) -> None:
    """The id of a run that was removed can be used again."""
    run = make_run()
    active.add(run, Execution("convert"), active.life)
    active.remove(run)
    active.add(make_run(), Execution("convert"), active.life)


def test_closed(active: ActiveRuns) -> None:
    """No run is added after close()."""
    active.close(CANCELLED)
    with pytest.raises(UnavailableError):
        active.add(make_run(), Execution("convert"), active.life)


def test_earlier_life(active: ActiveRuns) -> None:
    """A run whose request arrived before the service was started again is refused."""
    life = active.life
    active.close(CANCELLED)
    active.reopen()
    with pytest.raises(UnavailableError):
        active.add(make_run(), Execution("convert"), life)


def test_close_ends_runs(active: ActiveRuns) -> None:
    """close() settles the executions of all active runs with its outcome."""
    execution = Execution("convert")
    active.add(make_run(), execution, active.life)
    active.close(CANCELLED)
    assert execution.outcome is CANCELLED


@pytest.mark.parametrize("where", ["in process 7", ""])
def test_end_what_runs(active: ActiveRuns, where: str) -> None:
    """It settles what runs outside this process, and nothing else."""
    execution = Execution("convert")
    execution.where = where
    active.add(make_run(), execution, active.life)
    active.end_what_runs(CANCELLED)
    assert execution.outcome is (CANCELLED if where else None)


def test_cancel_of_an_unknown_run(active: ActiveRuns) -> None:
    """A cancel for a run that is not active has no event frames and does not wait."""
    assert active.cancel(CancelTask("run-1")) == ([], False)


def test_cancel_while_the_body_returns(active: ActiveRuns) -> None:
    """A require_ack cancel that comes when a body has returned, but its thread has not ended, does
    not say task_cancelled: the run has its result."""
    run, execution = make_run(), Execution("convert")
    active.add(run, execution, active.life)
    execution.begin()
    execution.settle(Outcome("result"))
    execution.on_cancel(execution.end)  # the thread ends after the cancel has come
    command = CancelTask(run.run_id, cancel_mode="require_ack")
    assert active.cancel(command) == ([], True)


def test_stack_of_an_unknown_run(active: ActiveRuns) -> None:
    """The stack of a run that is not active is empty."""
    assert active.stack("run-1") == ""


@pytest.mark.parametrize("executions", [1, 2])
def test_executed_again(active: ActiveRuns, executions: int) -> None:
    """A further execution of a run is cancelled with the run, and in the end the first one is its
    execution again."""
    run, all_of_it = make_run(), [Execution("convert"), Execution("convert, again")]
    active.add(run, all_of_it[0], active.life)
    with active.executed_by(run, all_of_it[1]):
        if executions == 2:
            active.cancel(CancelTask(run.run_id))
    if executions == 1:
        active.cancel(CancelTask(run.run_id))
    assert [each.cancel_requested for each in all_of_it] == [executions == 1, executions == 2]


def test_executed_again_while_it_stops(active: ActiveRuns) -> None:
    """A further execution does not begin once the service is stopping."""
    run, again = make_run(), Execution("convert, again")
    active.add(run, Execution("convert"), active.life)
    active.close(CANCELLED)
    with active.executed_by(run, again):
        assert not again.begin()
