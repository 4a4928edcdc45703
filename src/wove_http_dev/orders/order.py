"""``Order``: lets the runs of a task complete one after the other, in a given order.

Wove returns the results of a mapped task in the order of its items, however they come. Code whose
outcome depends on the order in which they come (a body with side effects, an application that takes
the first error) is found by trying the orders.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from wove_http_dev.argument_checks import check_count, check_seconds
from wove_http_dev.client import executor_frames
from wove_http_dev.client.executor_frames import FrameListener
from wove_http_dev.errors import UsageError, WaitTimeoutError
from wove_http_dev.orders.choice import chosen_orders
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.task_names import matches_task, tasks_seen
from wove_http_dev.service.host import HostState

TURNS = 50
"""Turns of the event loop after an outcome in which Wove has sent what follows from it: it takes
about ten."""
_NO_OUTCOME = ("task_started", "heartbeat", "log")


def requests_at_once() -> int:
    """Return how many requests a weave of this process has in flight at most: asyncio's default
    pool of threads has so many."""
    cpus: Callable[[], int | None] = getattr(os, "process_cpu_count", os.cpu_count)
    return min(32, (cpus() or 1) + 4)


@dataclass(eq=False)
class _Item:
    """A run of the task, with its retries."""

    executor: Any
    args: Any
    """The dict that Wove sends; that of a retry is the same object."""
    run_id: str
    """That of the newest attempt."""
    needs: int
    """How many items Wove had an outcome of when this one was sent."""
    released: str = ""
    """The run that was released last."""
    answered: bool = False
    """Whether Wove has got an outcome; after an error a retry may follow."""
    done: bool = False


class Order(FrameListener):
    """The runs of ``task`` complete in the order ``indices`` until the block ends. An index counts
    the runs in the order in which the weave sends them, which for a mapped task is that of its
    items; without ``indices`` they complete in the order in which they are sent.

    Each run starts when Wove has got the outcome of the one before, its retries included. A weave
    that ends early, after an error, releases the others. Made by ``HttpWorker.order()``.
    """

    def __init__(
        self,
        state: HostState,
        urls: Iterable[str],
        task: str,
        indices: Sequence[int] | None,
        timeout: float,
    ) -> None:
        check_seconds("timeout", timeout)
        if indices is not None and not _is_permutation(indices):
            raise UsageError(
                f"an order has the numbers 0 to n - 1, each once, as (2, 0, 1), not {indices!r}"
            )
        self.task = task
        self.indices = tuple(indices) if indices is not None else None
        self.completed: list[int] = []
        """The runs that have completed, in this order."""
        self._state = state
        self._urls = list(urls)
        self._timeout = min(timeout, threading.TIMEOUT_MAX)
        self._items: list[_Item] = []
        self._foreign = 0
        """Runs that no weave of this process has sent."""
        self._cut_short = False
        """Whether a weave ended before all of its runs were answered."""
        self._over = False
        self._stalled = ""
        self._gate = _OrderGate(state.journal, self)
        self._changed = self._gate._changed
        self._thread = threading.Thread(target=self._run, name="wove-http-dev-order", daemon=True)
        self._stack = ExitStack()
        self.entered = False
        """Whether the order was put in force."""

    def __repr__(self) -> str:
        return f"worker.{self.call}"

    @property
    def call(self) -> str:
        """The call that makes this order."""
        if self.indices is None:
            return f"order({self.task!r})"
        return f"order({self.task!r}, {self.indices!r})"

    @property
    def needs(self) -> list[int]:
        """For each run, how many others Wove had an outcome of when it was sent."""
        return [item.needs for item in self._items]

    def __enter__(self) -> Order:
        if self.entered:
            raise UsageError(f"{self!r} was used already; make another")
        self.entered = True
        with ExitStack() as stack:
            stack.enter_context(executor_frames.heard(self))
            self._state.gates.add(self._gate)
            stack.callback(self._state.gates.forget, self._gate)
            self._thread.start()
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: object, exc: BaseException | None, traceback: object) -> None:
        lost = self._gate._released and not self._stalled
        self._stack.close()
        problem = self._stalled or self._problem(lost)
        if exc is None and problem:
            raise (WaitTimeoutError if self._stalled else UsageError)(f"{self!r}: {problem}")
        if exc is not None:
            order = tuple(range(len(self._items))) if self.indices is None else self.indices
            code = f"worker.order({self.task!r}, {order!r})"
            why = problem.partition("\n")[0]
            _add_note(exc, f"in this order of completion: {code}{why and f' ({why})'}")

    def _end(self) -> None:
        with self._changed:
            self._over = True
            self._gate._release()
            self._changed.notify_all()
        self._thread.join()

    def _problem(self, lost: bool) -> str:
        """Return why the runs did not complete in this order; empty if they did."""
        sent, wanted = len(self._items), len(self.indices or ())
        if lost:
            return "the worker was reset or stopped inside the block, which released the runs"
        if self._foreign:
            return (
                f"{self._foreign} run(s) came from no weave of this process, so that their order"
                " is not known: run the weave in the block"
            )
        if not sent:
            seen = [run.task_id for run in self._state.journal.runs]
            return f"no run was sent in the block; {tasks_seen(self.task, seen)}"
        if self.indices is not None and (sent > wanted or (sent < wanted and not self._cut_short)):
            return f"it is for {wanted} runs, and {sent} were sent"
        return ""

    # Called in the event loop of a weave

    def sent(self, executor: Any, frame: Mapping[str, Any]) -> None:
        """Note a run of the task, or the retry of one."""
        run_id, args = frame.get("run_id"), frame.get("args")
        if frame.get("type") != "run_task" or not isinstance(run_id, str):
            return
        if not executor_frames.sends_to(executor, self._urls):
            return
        if executor_frames.delivers_initial_value(frame):
            return
        if not matches_task(self.task, frame.get("task_id")):
            return
        with self._changed:
            for item in self._items:
                if item.executor is executor and item.args is args:
                    item.run_id, item.answered = run_id, False
                    break
            else:
                answered = sum(item.answered for item in self._items)
                self._items.append(_Item(executor, args, run_id, answered))
            self._changed.notify_all()

    def received(self, executor: Any, frame: Mapping[str, Any]) -> None:
        """Note the outcome of a run. The run counts as completed :data:`TURNS` turns of the event
        loop later, when Wove has sent what follows: a retry, or the next run of a task with
        ``workers=``."""
        item = self._item(frame.get("run_id"))
        if item is not None and frame.get("type") not in _NO_OUTCOME:
            item.answered = True
            self._complete_later(asyncio.get_running_loop(), item.run_id, TURNS)

    def _complete_later(self, loop: asyncio.AbstractEventLoop, run_id: object, turns: int) -> None:
        if turns:
            loop.call_soon(self._complete_later, loop, run_id, turns - 1)
        else:
            self._complete(run_id)

    def stopped(self, executor: Any) -> None:
        """Release the runs of a weave that has ended: Wove waits for their requests' threads."""
        with self._changed:
            for item in self._items:
                if item.executor is executor and item.answered:
                    self._complete(item.run_id)
            for item in self._items:
                if item.executor is executor and not item.done:
                    item.done = self._cut_short = True
                    self._release(item)
            self._changed.notify_all()

    def _item(self, run_id: object) -> _Item | None:
        with self._changed:
            return next((item for item in self._items if item.run_id == run_id), None)

    def _complete(self, run_id: object) -> None:
        with self._changed:
            item = self._item(run_id)  # none after a retry
            if item is not None and not item.done:
                item.done = True
                self.completed.append(self._items.index(item))
                self._changed.notify_all()

    # In a thread of its own

    def _run(self) -> None:
        stall = self._release_in_order()
        if stall:
            report = self._state.journal.explain()  # without the lock, which other threads need
            with self._changed:
                self._stalled = f"{stall}\n{report}"
                self._gate._release()

    def _release_in_order(self) -> str:
        """Release each run when its turn has come, until the block ends. Returns why no run can be
        released within the time limit; empty if the block has ended."""
        with self._changed:
            while not self._over:
                self._release_others()
                item = self._next()
                if item is not None and self._release(item):
                    continue
                running = item is not None and item.released == item.run_id
                waits = bool(self._gate._parked) and not running
                if not self._changed.wait(self._timeout if waits else None):
                    return self._stall(item)
        return ""

    def _next(self) -> _Item | None:
        """Return the item whose turn it is; ``None`` if it was not sent yet, or there is none."""
        first = self.indices or ()
        items = self._items
        for index in (*first, *range(len(first), len(items))):
            item = items[index] if index < len(items) else None
            if item is None or not item.done:
                return item
        return None

    def _release_others(self) -> None:
        """Release the held runs that have no turn: those that no weave of this process has sent, or
        whose client has given up."""
        for run in list(self._gate._parked):
            item = self._item(run.run_id)
            self._foreign += item is None
            if item is None or item.done:
                self._gate._release_one(run)

    def _release(self, item: _Item) -> bool:
        """Release the run of ``item``, if it is held; return whether it was."""
        for run in self._gate._parked:
            if run.run_id == item.run_id:
                item.released = run.run_id
                self._gate._release_one(run)
                return True
        return False

    def _stall(self, item: _Item | None) -> str:
        sent, waiting = len(self._items), len(self._gate._parked)
        what = "did not arrive"
        if item is None:
            what = "was not sent"
            number = next(index for index in self.indices or () if index >= sent)
        else:
            number = self._items.index(item)
        return (
            f"run {number} {what} within {self._timeout:g} s, while {waiting} of the {sent} that"
            " were sent waited for it, so all were released. Perhaps there are fewer items than"
            f" before, or a run needs the result of another, or more than {requests_at_once()}"
            " (Wove's requests in flight here), or than the task's own limit, would have to wait at"
            " once"
        )


class _OrderGate(Gate):
    def __init__(self, journal: Any, order: Order) -> None:
        super().__init__(journal, order.task, unused_ok=True)
        self._order = order

    @property
    def call(self) -> str:
        return self._order.call

    @property
    def advice(self) -> str:
        return "its turn comes when those before it in that order have completed"


def _is_permutation(indices: Sequence[Any]) -> bool:
    return all(type(index) is int for index in indices) and sorted(indices) == [
        *range(len(indices))
    ]


def _add_note(exc: BaseException, text: str) -> None:
    """Add a line to an exception's message. Python has notes from 3.11 on."""
    if hasattr(exc, "add_note"):
        exc.add_note(text)
    elif exc.args and isinstance(exc.args[0], str):
        exc.args = (f"{exc.args[0]}\n{text}", *exc.args[1:])
    elif not exc.args:
        exc.args = (text,)


def orders(
    make: Callable[[Sequence[int] | None], Order], limit: int, at_once: int | None, seed: str
) -> Iterator[Order]:
    """Yield orders that ``make`` makes, at most ``limit``: first one as sent, which learns how many
    runs there are, then those of :func:`chosen_orders`.

    Raises :class:`UsageError` if the block of an order was not entered before the next is asked
    for, and for a ``limit`` or ``at_once`` below 1.
    """
    check_count("limit", limit, "orders")
    if at_once is not None:
        check_count("at_once", at_once, "requests")
    return _orders(make, limit, at_once or requests_at_once(), seed)


def _orders(
    make: Callable[[Sequence[int] | None], Order], limit: int, at_once: int, seed: str
) -> Iterator[Order]:
    def checked(order: Order) -> Iterator[Order]:
        yield order
        if not order.entered:
            raise UsageError("an order of worker.orders() was not used; write `with order:`")

    first = make(None)
    yield from checked(first)
    for indices in chosen_orders(first.needs, at_once, limit, seed)[1:]:
        yield from checked(make(indices))
