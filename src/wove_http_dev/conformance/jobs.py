"""Runs several cases at a time, each in a thread, and says of each which others ran meanwhile."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

from wove_http_dev.conformance.case import Case, Result


class Beside(NamedTuple):
    """The result of a case, and the ids of the cases that ran at the same time."""

    result: Result
    others: tuple[str, ...] = ()


class _Running:
    """The cases that run at present, each with the ids of those that it has met."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._met: dict[str, dict[str, None]] = {}

    def begin(self, case: Case) -> None:
        with self._lock:
            for met in self._met.values():
                met[case.id] = None
            self._met[case.id] = dict.fromkeys(self._met)

    def end(self, case: Case) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._met.pop(case.id))


def run_together(
    take: Callable[[], Case | None], run: Callable[[Case], Result], jobs: int
) -> Iterator[Beside]:
    """Run cases in ``jobs`` threads and yield each result when it is there.

    ``take`` returns the next case, or ``None`` if no more may start; only one thread calls it at a
    time. ``run`` runs a case and raises nothing. The threads are daemons, so that Ctrl-C ends the
    check even if a case hangs.
    """
    done: queue.SimpleQueue[Beside | None] = queue.SimpleQueue()
    running, taking = _Running(), threading.Lock()

    def work() -> None:
        try:
            while True:
                with taking:
                    case = take()
                    if case is None:
                        return
                    running.begin(case)
                result = run(case)
                done.put(Beside(result, running.end(case)))
        finally:
            done.put(None)

    for number in range(jobs):
        threading.Thread(target=work, name=f"conformance-job-{number}", daemon=True).start()
    left = jobs
    while left:
        one = done.get()
        if one is None:
            left -= 1
        else:
            yield one
