"""``Schedule``: a list of faults with the requests that each hits, whose ``repr`` is code for a
test. ``wove_http_dev.strategies`` draws them; this module does not need Hypothesis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

from wove_http_dev.client.executor_frames import FrameListener, heard, sends_to
from wove_http_dev.errors import UsageError, WaitTimeoutError
from wove_http_dev.faults.fault import Fault
from wove_http_dev.faults.injections import Injection, check_together
from wove_http_dev.faults.selector import Selector
from wove_http_dev.faults.text import read_injection
from wove_http_dev.fields import changed
from wove_http_dev.runs.records import FINISHED
from wove_http_dev.worker import HttpWorker
from wove_http_dev.worker_side import WorkerSide

Entry = str | Fault | tuple[Fault, Mapping[str, Any]]
"""One injection: a text (``"status code=503 task=charge times=1"``), a fault, or a fault and the
keywords of ``inject()`` that select its requests."""
PATIENCE = 2.0
"""How long one stall lasts at most, in multiples of the worker's ``timeout``: the client gives up
before that."""
WITHOUT_TIMEOUT = 10.0
"""Seconds that count as the ``timeout`` of a worker that has none."""


class Schedule:
    """Faults to put in force one after the other, each with the requests that it hits.

    Equal schedules have equal faults and selections in the same order. ``repr()`` is code that
    makes an equal one, for example ``Schedule(['status code=503 task=charge times=1'])``; a fault
    of a user's own, which has no text, stands there as an instance. Raises :class:`UsageError` for
    an entry that is not a fault, or whose fault the selection could never hit.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        if isinstance(entries, str):
            raise UsageError(f"a schedule is a list of faults: Schedule([{entries!r}])")
        self._planned = tuple(map(_read, entries))

    def __repr__(self) -> str:
        return f"Schedule([{', '.join(_written(*planned) for planned in self._planned)}])"

    def __eq__(self, other: object) -> bool:
        return self._planned == other._planned if isinstance(other, Schedule) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._planned)

    def __len__(self) -> int:
        return len(self._planned)

    @property
    def faults(self) -> list[Fault]:
        """The faults, in order."""
        return [fault for fault, _ in self._planned]

    @contextmanager
    def injected(self, worker: WorkerSide) -> Iterator[list[Injection]]:
        """Inject the faults, in order, until the block ends; they need not hit anything.

        At the end of the block the faults are removed and stalled requests released; then it waits
        until every run that began in the block has ended (at most twice the worker's ``timeout``),
        so that a late body does not run in the next example, and starts a worker that a fault has
        crashed. Inside the block a stall ends when no weave of this process that has sent to the
        worker is left (not for an isolated worker), and after twice the worker's ``timeout``.
        Raises :class:`UsageError` for a fault that cannot apply to ``worker``.
        """
        patience = PATIENCE * (worker.options.timeout or WITHOUT_TIMEOUT)
        before = {id(run) for run in worker.journal.all_runs}
        with ExitStack() as stack:
            stack.callback(self._revive, worker)
            stack.callback(_await_runs, worker, before, patience)
            usable = [
                worker._usable([fault], vars(replace(selector, unused_ok=True)), {})
                for fault, selector in self._planned
            ]
            add = worker._state.faults.add
            made = [stack.enter_context(add(*each, longest_wait=patience)) for each in usable]
            stack.enter_context(heard(_StallEnder(worker, made)))
            yield made

    def _revive(self, worker: WorkerSide) -> None:
        if any(fault.crashes for fault in self.faults) and isinstance(worker, HttpWorker):
            worker._revive()


class _StallEnder(FrameListener):
    """Ends the stalls of ``injections`` when the last weave that has sent to ``worker`` has given
    up: it returns only when the threads of its requests have ended."""

    def __init__(self, worker: WorkerSide, injections: list[Injection]) -> None:
        self._urls = worker._urls
        self._injections = injections
        self._weaves: set[Any] = set()

    def sent(self, executor: Any, frame: Mapping[str, Any]) -> None:
        if sends_to(executor, self._urls):
            self._weaves.add(executor)

    def stopped(self, executor: Any) -> None:
        if executor in self._weaves:
            self._weaves.remove(executor)
            if not self._weaves:
                for injection in self._injections:
                    injection._release()


def _read(entry: Any) -> tuple[Fault, Selector]:
    words: Mapping[str, Any] = {}
    if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], Mapping):
        entry, words = entry
    unknown = [word for word in words if word not in vars(Selector())]
    if unknown:
        raise UsageError(f"a schedule cannot use {unknown[0]!r}; inject() has task, after, times …")
    faults, selector = read_injection([entry], words)
    check_together(faults, selector)
    return faults[0], selector


def _written(fault: Fault, selector: Selector) -> str:
    """Return an entry as code for :class:`Schedule`."""
    text = " ".join([str(fault), *changed(selector)])
    with suppress(UsageError):  # a fault that is not in the catalogue
        if _read(text) == (fault, selector):
            return repr(text)
    words = selector.given
    return f"({fault!r}, {words!r})" if words else repr(fault)


def _await_runs(worker: WorkerSide, before: set[int], timeout: float) -> None:
    """Wait until the runs that are not among ``before`` have ended, at most ``timeout`` seconds.
    Runs that a test holds are not waited for."""

    def ended() -> bool:
        runs = worker._state.journal.all_runs
        return all(run.state in (*FINISHED, "held") or id(run) in before for run in runs)

    with suppress(WaitTimeoutError):
        worker.journal.wait(ended, timeout, "the end of the runs")
