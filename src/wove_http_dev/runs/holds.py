"""Gates that hold runs before their body starts, until a test releases them."""

from __future__ import annotations

import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from types import CoroutineType
from typing import Any, cast

from wove_http_dev.argument_checks import check_count, check_seconds
from wove_http_dev.call_site import call_site
from wove_http_dev.errors import WaitTimeoutError, WoveHttpDevError, cannot_travel
from wove_http_dev.printable import shortened
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Run
from wove_http_dev.runs.task_names import check_matching, matches_task

_REPR_LIMIT = 300
"""Characters of a gate's ``repr``."""


class Gate:
    """Holds the runs of one task (a name, a glob, or every task) before their bodies start. As a
    context manager, it releases them at the end of the block.

    Cancelling a held run releases it, and the worker's ``reset()`` releases all. A run that is
    still held when the worker stops or the test ends fails with an error that says so.
    """

    def __init__(
        self,
        journal: Journal,
        task: str | None = None,
        release_when: int | None = None,
        *,
        unused_ok: bool = False,
    ) -> None:
        check_matching("*" if task is None else task, unused_ok)
        if release_when is not None:
            check_count("release_when", release_when, "runs")
        self.task = task
        self.unused_ok = unused_ok
        """Whether strict mode accepts that no run matches."""
        self.place = call_site()
        """File and line of the call that made this gate, for example ``test_app.py:12``."""
        self.never_awaited: list[str] = []
        """File and line of each call of :meth:`arrived` that was not awaited."""
        self._journal = journal
        self.release_when = release_when
        """The number of runs whose arrival releases the gate; ``None``: no number does."""
        self._released = False
        self._parked: dict[Run, threading.Event] = {}
        self._arrived: deque[weakref.ref[Run]] = deque()
        """Only the journal keeps a run, because it is limited."""
        self._count = 0
        self._changed = threading.Condition()
        self.on_release: Callable[[], None] = lambda: None
        """Called after the gate was released here."""

    def __repr__(self) -> str:
        tasks = "all tasks" if self.task is None else repr(self.task)
        state = "released" if self._released else "holding"
        return shortened(f"<Gate {tasks} {state}, {self._count} arrived>", _REPR_LIMIT)

    def __reduce__(self) -> Any:
        raise cannot_travel(self)

    @property
    def runs(self) -> list[Run]:
        """The runs that have arrived at the gate, in order, as far as the journal has them."""
        self._fetch()
        with self._changed:
            return [run for run in (reference() for reference in self._arrived) if run is not None]

    def wait_arrived(self, n: int = 1, timeout: float = 5.0) -> list[Run]:
        """Block until ``n`` runs have arrived, and return all that have arrived.

        Raises :class:`WaitTimeoutError`, whose message contains the journal, after ``timeout``
        seconds.
        """
        return self._wait_arrived(n, timeout, hint=_blocks_a_loop())

    def _wait_arrived(self, n: int, timeout: float, *, hint: str = "") -> list[Run]:
        check_count("n", n, "runs")
        check_seconds("timeout", timeout)
        if self._journal.wait_on(self._changed, lambda: self._count >= n, timeout):
            return self.runs
        done = "arrived at the gate"
        text = self._journal.shortfall(self.task, self._count, n, done, timeout)
        raise WaitTimeoutError(f"{text}{hint}\n{self._journal.explain()}")

    @property
    def call(self) -> str:
        """The call of ``hold()`` that made this gate."""
        return f"hold({'' if self.task is None else repr(self.task)})"

    @property
    def advice(self) -> str:
        """What ends the hold, for a report."""
        return "call release() on it, or give hold() release_when="

    @property
    def count(self) -> int:
        """How many runs have arrived."""
        return self._count

    @property
    def matched(self) -> bool:
        """Whether a run has arrived."""
        return self._count > 0

    def arrived(self, n: int = 1, timeout: float = 5.0) -> Coroutine[Any, Any, list[Run]]:
        """Async version of :meth:`wait_arrived`; does not block the event loop. Strict mode reports
        a call that is not awaited."""
        place = call_site()
        with self._changed:
            self.never_awaited.append(place)
        begun = self._arrived_in_loop(n, timeout, place)
        waiting = cast("CoroutineType[Any, Any, list[Run]]", begun)
        waiting.__qualname__ = "Gate.arrived"  # for Python's own warning, which is often all
        return waiting

    async def _arrived_in_loop(self, n: int, timeout: float, place: str) -> list[Run]:
        with self._changed:
            self.never_awaited.remove(place)
        import asyncio  # the caller has imported it

        # A new thread, because the default pool may be full of the requests that are held.
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Run]] = loop.create_future()

        def settle(result: list[Run] | None, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result or [])

        def wait() -> None:
            result: list[Run] | None = None
            error: BaseException | None = None
            try:
                result = self._wait_arrived(n, timeout)
            except WoveHttpDevError as exc:
                error = exc
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=wait, name="wove-http-dev-gate", daemon=True).start()
        return await future

    def release(self) -> None:
        """Release the held runs, and hold no further ones."""
        with self._changed:
            self._release()
        self.on_release()

    def account(self, *, count: int, runs: Iterable[Run], released: bool) -> None:
        """Set what another process, whose worker holds the runs, reports: ``count`` runs have
        arrived, of which the journal has ``runs``."""
        with self._changed:
            self._count = count
            self._arrived = deque(map(weakref.ref, runs))
            self._released |= released
            self._changed.notify_all()

    def _release(self) -> None:
        self._released = True
        for moved in self._parked.values():
            moved.set()
        self._parked.clear()

    def _release_one(self, run: Run) -> None:
        """Release one held run; the gate goes on holding the others. Called with the lock."""
        self._parked.pop(run).set()

    @property
    def released(self) -> bool:
        """Whether the gate has been released."""
        self._fetch()
        return self._released

    def _fetch(self) -> None:
        if self._journal.feed is not None:
            self._journal.feed()

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _pass(self, run: Run, execution: Execution) -> None:
        with self._changed:
            self._count += 1
            self._arrived.append(weakref.ref(run))
            while self._arrived[0]() is None:
                self._arrived.popleft()
            if self.release_when is not None and self._count >= self.release_when:
                self._release()
            self._changed.notify_all()
            if self._released:
                return
            self._parked[run] = moved = threading.Event()
        run._held_by = (self.call,)
        self._journal.change(run, "held")
        execution.on_cancel(moved.set)
        moved.wait()
        with self._changed:  # one that was cancelled is still there
            self._parked.pop(run, None)


def _blocks_a_loop() -> str:
    asyncio = sys.modules.get("asyncio")  # no loop runs where nothing has imported it
    if asyncio is None:
        return ""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return ""
    return ". wait_arrived() blocks the event loop that calls it; use await gate.arrived()"


class Gates:
    """The gates of a worker. A gate holds the runs of a task before their bodies start, until a
    test releases them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._gates: tuple[Gate, ...] = ()  # never changed in place: park() needs no lock
        self._made: list[Gate] = []
        self.on_change: Callable[[], None] = lambda: None
        """Called when a gate was added, and when all were removed."""
        self._lock = threading.Lock()

    @property
    def made(self) -> list[Gate]:
        """Every gate made since the last :meth:`clear`, also those that a stop has removed."""
        with self._lock:
            return list(self._made)

    def hold(
        self,
        task: str | None = None,
        release_when: int | None = None,
        *,
        unused_ok: bool = False,
    ) -> Gate:
        """Return a new gate that holds the runs of ``task`` that arrive from now on. With
        ``release_when=n`` it releases them when the n-th arrives."""
        gate = Gate(self._journal, task, release_when, unused_ok=unused_ok)
        self.add(gate)
        return gate

    def add(self, gate: Gate) -> None:
        """Let ``gate`` hold the runs that arrive from now on."""
        with self._lock:
            self._made.append(gate)
            self._gates += (gate,)
        self.on_change()

    def forget(self, gate: Gate) -> None:
        """Release and remove ``gate``, and do not count it among those that were made."""
        with self._lock:
            self._gates = tuple(each for each in self._gates if each is not gate)
            self._made = [each for each in self._made if each is not gate]
        gate.release()
        self.on_change()

    @property
    def tasks(self) -> list[str | None]:
        """The tasks (names, globs, ``None`` for all) whose runs are held."""
        return [gate.task for gate in self._gates if not gate._released]

    def holding(self, task_id: str) -> list[Gate]:
        """Return the gates that hold the runs of the task, in the order they were made."""
        return [
            gate for gate in self._gates if not gate._released and matches_task(gate.task, task_id)
        ]

    def park(self, run: Run, execution: Execution) -> None:
        """Block until every gate that holds ``run`` has released it, in the order the gates were
        made."""
        for gate in self._gates:
            if matches_task(gate.task, run.task_id) and not run.initial_value:
                gate._pass(run, execution)

    def release_all(self) -> None:
        """Release and remove every gate."""
        with self._lock:
            gates, self._gates = self._gates, ()
        for gate in gates:
            gate.release()
        self.on_change()

    def clear(self) -> None:
        """Release, remove and forget every gate."""
        self.release_all()
        with self._lock:
            self._made.clear()
