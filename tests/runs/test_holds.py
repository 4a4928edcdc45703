"""Gates, which hold runs before their body starts."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from wove import weave

from tests.run_records import make_run
from tests.support import answer, weave_one
from wove_http_dev.errors import UsageError, WaitTimeoutError
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Run
from wove_http_dev.worker import HttpWorker

TIMEOUT = 10.0


class Parking:
    """Gates with a journal, and threads in which runs arrive at them."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.journal = Journal()
        self.gates = Gates(self.journal)
        self._pool = pool

    def send(self, run: Run, execution: Execution | None = None) -> Future[None]:
        """Let ``run`` arrive at the gates; return a future that is done when it has passed them."""
        self.journal.add_run(run)
        return self._pool.submit(self.gates.park, run, execution or Execution("body"))


@pytest.fixture
def parking(pool: ThreadPoolExecutor) -> Iterator[Parking]:
    """Gates that are released before ``pool`` waits for its threads."""
    parking = Parking(pool)
    yield parking
    parking.gates.release_all()


class TestHolding:
    """Which runs are held."""

    def test_held(self, parking: Parking) -> None:
        """A run that has arrived at a gate waits."""
        gate = parking.gates.hold("task")
        parked = parking.send(make_run())
        gate.wait_arrived(timeout=TIMEOUT)
        assert not parked.done()

    def test_repr(self, parking: Parking) -> None:
        """A gate's repr has its task, whether it holds, and how many have arrived."""
        gate = parking.gates.hold("task")
        parking.send(make_run())
        gate.wait_arrived(timeout=TIMEOUT)
        before = repr(gate)
        gate.release()
        assert (before, repr(gate)) == (
            "<Gate 'task' holding, 1 arrived>",
            "<Gate 'task' released, 1 arrived>",
        )

    def test_repr_of_a_gate_for_all(self, parking: Parking) -> None:
        """A gate without a task says that it holds all."""
        assert repr(parking.gates.hold()) == "<Gate all tasks holding, 0 arrived>"

    def test_state(self, parking: Parking) -> None:
        """A run that waits at a gate has the state ``held``."""
        parking.gates.hold("task")
        run = make_run()
        parking.send(run)
        assert parking.journal.wait_for_runs("task", "held", 1, TIMEOUT).last is run

    @pytest.mark.parametrize("pattern", ["other", "Task", "tas"])
    def test_other_task(self, parking: Parking, pattern: str) -> None:
        """A run of another task passes."""
        parking.gates.hold(pattern)
        assert parking.send(make_run()).result(TIMEOUT) is None

    @pytest.mark.parametrize("pattern", ["task", "t*", None])
    def test_pattern(self, parking: Parking, pattern: str | None) -> None:
        """A gate holds the tasks that match a name or glob, or every task."""
        gate = parking.gates.hold(pattern)
        parking.send(make_run())
        assert len(gate.wait_arrived(timeout=TIMEOUT)) == 1

    def test_initial_value(self, parking: Parking) -> None:
        """Wove's own initial values pass."""
        parking.gates.hold()
        assert parking.send(make_run("data", initial_value=True)).result(TIMEOUT) is None

    def test_initial_value_has_not_arrived(self, parking: Parking) -> None:
        """Wove's own initial values do not count as arrived."""
        gate = parking.gates.hold()
        parking.send(make_run("data", initial_value=True)).result(TIMEOUT)
        assert gate.runs == []

    def test_two_gates(self, parking: Parking) -> None:
        """A run that matches two gates is held by the second after the first."""
        first, second = parking.gates.hold("task"), parking.gates.hold("t*")
        parking.send(make_run())
        first.wait_arrived(timeout=TIMEOUT)
        first.release()
        assert len(second.wait_arrived(timeout=TIMEOUT)) == 1

    def test_tasks(self, parking: Parking) -> None:
        """``tasks`` has the patterns of the unreleased gates."""
        parking.gates.hold("open").release()
        parking.gates.hold("closed")
        parking.gates.hold()
        assert parking.gates.tasks == ["closed", None]


class TestReleasing:
    """How a run passes a gate."""

    def test_release(self, parking: Parking) -> None:
        """``release()`` lets the held run pass."""
        gate = parking.gates.hold()
        parked = parking.send(make_run())
        gate.wait_arrived(timeout=TIMEOUT)
        gate.release()
        assert parked.result(TIMEOUT) is None

    def test_from_now_on(self, parking: Parking) -> None:
        """After ``release()`` no further run is held."""
        parking.gates.hold().release()
        assert parking.send(make_run()).result(TIMEOUT) is None

    def test_arrivals_after_release(self, parking: Parking) -> None:
        """After ``release()`` arrivals are still recorded."""
        gate = parking.gates.hold()
        gate.release()
        run = make_run()
        parking.send(run).result(TIMEOUT)
        assert gate.runs == [run]

    def test_arrivals_are_not_kept(self, parking: Parking) -> None:
        """A gate counts the runs that have arrived, and keeps none that the journal has
        dropped."""
        gate = parking.gates.hold()
        gate.release()
        for _ in range(3):
            parking.send(make_run()).result(TIMEOUT)
        parking.journal.clear()
        gc.collect()
        assert gate.wait_arrived(3, timeout=TIMEOUT) == []
        assert len(gate._arrived) <= 3

    def test_context_manager(self, parking: Parking) -> None:
        """Leaving the ``with`` block releases the gate."""
        with parking.gates.hold() as gate:
            parked = parking.send(make_run())
            gate.wait_arrived(timeout=TIMEOUT)
        assert parked.result(TIMEOUT) is None

    def test_closed(self, parking: Parking) -> None:
        """A new gate is not released."""
        assert not parking.gates.hold().released

    def test_release_all(self, parking: Parking) -> None:
        """All gates are opened at once."""
        gates = [parking.gates.hold("a"), parking.gates.hold("b")]
        parking.gates.release_all()
        assert [gate.released for gate in gates] == [True, True]

    def test_release_all_forgets(self, parking: Parking) -> None:
        """After ``release_all()`` the gates record no later run."""
        gate = parking.gates.hold()
        parking.gates.release_all()
        parking.send(make_run()).result(TIMEOUT)
        assert gate.runs == []

    def test_cancel(self, parking: Parking) -> None:
        """A cancelled run passes."""
        gate, execution = parking.gates.hold(), Execution("body")
        parked = parking.send(make_run(), execution)
        gate.wait_arrived(timeout=TIMEOUT)
        execution.cancel(wait_for_end=True)
        assert parked.result(TIMEOUT) is None

    def test_cancelled_before(self, parking: Parking) -> None:
        """A run that was cancelled before it arrived is not held."""
        parking.gates.hold()
        execution = Execution("body")
        execution.cancel(wait_for_end=True)
        assert parking.send(make_run(), execution).result(TIMEOUT) is None

    def test_cancel_releases_no_other_run(self, parking: Parking) -> None:
        """Other runs stay held when one is cancelled."""
        gate, execution = parking.gates.hold(), Execution("body")
        cancelled = parking.send(make_run(), execution)
        other = parking.send(make_run())
        gate.wait_arrived(2, timeout=TIMEOUT)
        execution.cancel(wait_for_end=True)
        cancelled.result(TIMEOUT)
        assert not other.done()

    def test_release_when(self, parking: Parking) -> None:
        """A gate releases itself on the given arrival."""
        parking.gates.hold(release_when=3)
        parked = [parking.send(make_run()) for _ in range(3)]
        assert [each.result(TIMEOUT) for each in parked] == [None] * 3

    def test_not_released_before(self, parking: Parking) -> None:
        """A gate stays closed before the given arrival."""
        gate = parking.gates.hold(release_when=3)
        for _ in range(2):
            parking.send(make_run())
        gate.wait_arrived(2, timeout=TIMEOUT)
        assert not gate.released

    @pytest.mark.parametrize("number", [0, -1])
    def test_release_when_0(self, parking: Parking, number: int) -> None:
        """``release_when`` below 1 is a usage error."""
        with pytest.raises(UsageError, match="1 or more"):
            parking.gates.hold(release_when=number)

    @pytest.mark.parametrize("task", ["", 7])
    def test_task_that_is_no_name(self, parking: Parking, task: Any) -> None:
        """A ``task`` that can match no run is a usage error."""
        with pytest.raises(UsageError, match="task must be a name or a glob"):
            parking.gates.hold(task)

    def test_unused_ok_that_is_no_bool(self, parking: Parking) -> None:
        """``unused_ok`` takes true or false: a text would count as true."""
        no: Any = "no"
        with pytest.raises(UsageError, match="unused_ok takes true or false, not 'no'"):
            parking.gates.hold("task", unused_ok=no)


class TestWaiting:
    """Waiting for arrivals."""

    def test_runs(self, parking: Parking) -> None:
        """``wait_arrived()`` returns the runs that arrived."""
        gate, run = parking.gates.hold(), make_run()
        parking.send(run)
        assert gate.wait_arrived(timeout=TIMEOUT) == [run]

    @pytest.mark.parametrize(
        ("task", "message"),
        [
            ("task", "no run of 'task' arrived at the gate within 0 s; no run has arrived"),
            (None, "no run arrived at the gate within 0 s"),
        ],
    )
    def test_timeout(self, parking: Parking, task: str | None, message: str) -> None:
        """``wait_arrived()`` raises after its timeout, and the message says what it waited for."""
        with pytest.raises(WaitTimeoutError, match=message):
            parking.gates.hold(task).wait_arrived(timeout=0.0)

    def test_journal_is_shown(self, parking: Parking) -> None:
        """The error contains the journal."""
        parking.journal.open().refusal = "signature: does not match"
        with pytest.raises(WaitTimeoutError, match="signature: does not match"):
            parking.gates.hold().wait_arrived(timeout=0.0)

    def test_async(self, parking: Parking) -> None:
        """``arrived()`` returns the runs that arrived."""

        async def main() -> list[Run]:
            gate = parking.gates.hold()
            parking.send(run)
            return await gate.arrived(timeout=TIMEOUT)

        run = make_run()
        assert asyncio.run(main()) == [run]

    def test_async_timeout(self, parking: Parking) -> None:
        """After its timeout ``arrived()`` raises."""
        with pytest.raises(WaitTimeoutError, match="no run arrived at the gate"):
            asyncio.run(parking.gates.hold().arrived(timeout=0.0))

    def test_async_does_not_block(self, parking: Parking) -> None:
        """While async code waits for an arrival its event loop keeps running."""

        async def main() -> list[Run]:
            gate = parking.gates.hold()
            waiter = asyncio.ensure_future(gate.arrived(timeout=TIMEOUT))
            await asyncio.sleep(0)
            parking.send(run)  # comes to pass only if the loop goes on
            return await waiter

        run = make_run()
        assert asyncio.run(main()) == [run]

    def test_async_cancelled(self, parking: Parking) -> None:
        """A wait in async code can be cancelled."""

        async def main() -> bool:
            gate = parking.gates.hold()
            waiter = asyncio.ensure_future(gate.arrived(timeout=TIMEOUT))
            await asyncio.sleep(0)
            waiter.cancel()
            await asyncio.wait([waiter])
            parking.send(make_run())
            gate.wait_arrived(timeout=TIMEOUT)
            return waiter.cancelled()

        assert asyncio.run(main())


def test_on_change(parking: Parking) -> None:
    """``on_change`` is called for a new gate."""
    changed = threading.Event()
    parking.gates.on_change = changed.set
    parking.gates.hold()
    assert changed.is_set()


# Through a worker


def in_thread(pool: ThreadPoolExecutor, function: Callable[..., Any] = answer) -> Any:
    return pool.submit(weave_one, function)


def test_hold_parks(wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A held run is in state ``held``, and its body has not started."""
    with wove_http_worker.hold("answer"):
        in_thread(pool)
        assert wove_http_worker.wait_for("answer", "held").last.started is None


def test_release(wove_http_worker: HttpWorker, pool: ThreadPoolExecutor) -> None:
    """A released run ends with its result."""
    with wove_http_worker.hold("answer") as gate:
        result = in_thread(pool)
        gate.wait_arrived()
    assert result.result(TIMEOUT) == 42


def test_hold_leaves_other_tasks_alone(wove_http_worker: HttpWorker) -> None:
    """A gate does not hold other tasks."""
    wove_http_worker.hold("another", unused_ok=True)
    assert weave_one(answer) == 42


def test_wait_arrived_gives_the_runs(
    wove_http_worker: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """``wait_arrived()`` returns the runs that arrived."""
    with wove_http_worker.hold() as gate:
        in_thread(pool)
        assert [run.task_id for run in gate.wait_arrived()] == ["answer"]


def test_wait_arrived_times_out(worker: HttpWorker) -> None:
    """``wait_arrived()`` raises after its timeout, with the journal in the message."""
    gate = worker.hold("answer")
    with pytest.raises(WaitTimeoutError, match="nothing arrived"):
        gate.wait_arrived(timeout=0.01)


def test_release_when(wove_http_worker: HttpWorker) -> None:
    """A gate with ``release_when=3`` opens by itself on the third arrival."""
    wove_http_worker.hold("square", release_when=3)
    with weave() as w:

        @w.do(range(3), environment="workers")
        def square(item: int) -> int:
            return item * item

    assert w.result.square == [0, 1, 4]


@pytest.mark.parametrize("count", [0, -1])
def test_release_when_below_1_is_a_usage_error(worker: HttpWorker, count: int) -> None:
    """``release_when`` must be 1 or more."""
    with pytest.raises(UsageError):
        worker.hold(release_when=count)


@pytest.mark.asyncio
async def test_arrived(wove_http_worker: HttpWorker) -> None:
    """An async test awaits an arrival while its weave runs in the same event loop."""
    gate = wove_http_worker.hold()

    async def opened() -> int:
        runs = await gate.arrived(timeout=TIMEOUT)
        gate.release()
        return len(runs)

    opening = asyncio.create_task(opened())
    async with weave() as w:
        w.do(environment="workers")(answer)
    assert (await opening, w.result.answer) == (1, 42)


@pytest.mark.asyncio
async def test_arrived_times_out(worker: HttpWorker) -> None:
    """``arrived()`` raises the same error after its timeout."""
    gate = worker.hold()
    with pytest.raises(WaitTimeoutError):
        await gate.arrived(timeout=0.01)


@pytest.mark.parametrize("words", [{"n": 0}, {"n": "x"}, {"timeout": -1}])
def test_invalid_wait_arrived_is_a_usage_error(worker: HttpWorker, words: dict[str, Any]) -> None:
    """An invalid count or timeout is a usage error."""
    with pytest.raises(UsageError):
        worker.hold().wait_arrived(**words)


def test_wait_arrived_in_a_loop(worker: HttpWorker) -> None:
    """A blocking wait in an event loop is an error that names the async method."""

    async def blocking() -> None:
        worker.hold().wait_arrived(timeout=0.01)

    with pytest.raises(WaitTimeoutError, match=r"use await gate\.arrived\(\)"):
        asyncio.run(blocking())


def test_forgotten_gate(pool: ThreadPoolExecutor) -> None:
    """A gate that was forgotten is released, and not among those that were made."""
    parking = Parking(pool)
    gate = parking.gates.hold()
    waiting = parking.send(make_run())
    gate.wait_arrived(timeout=TIMEOUT)
    parking.gates.forget(gate)
    waiting.result(TIMEOUT)
    assert parking.gates.made == []
