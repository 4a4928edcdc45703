"""``ProcessRunner``: runs bodies in processes that can be killed.

Not on pebble, a ``ProcessPoolExecutor`` or ``multiprocessing``. Their processes share a pipe and
its locks, so what one of them does can reach the others: with pebble 5.2.3, ``os._exit(0)`` in a
task is never noticed, the end of an idle process ends the pool, and a process that is killed while
it sends a result keeps the lock that the others need. And they import the ``__main__`` of the
user's program in each process. Here each process has a socket pair of its own, and no lock or
semaphore is shared.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from wove_http_dev.errors import CannotServeError, NotRunningError
from wove_http_dev.platforms import cores
from wove_http_dev.runners.task_process import FindChanges, TaskProcess
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.runner import Runner

BODIES_PER_PROCESS = 1000
"""Bodies that a process runs before a new one takes its place: if each loses a megabyte, as tasks
with C extensions do, that is a gigabyte. A start takes 0.3 s, which is 0.3 ms for each task."""
END_GRACE = 1.0
"""Seconds that idle processes get for their exit handlers when the runner stops."""
_STARTS = 3
"""How many processes may end by themselves before a body began, until its task fails."""
_KILLED_STARTS = 20
"""How many may be killed: more, as that can happen at any time, and not without end, as the system
does so again and again when there is too little memory."""


class ProcessRunner(Runner):
    """Runs up to ``workers`` bodies at a time, each in a process that runs nothing else then; the
    others wait. A cancel kills the process, and another one takes its place.

    ``workers`` is by default the number of cores that this process may use. A process is replaced
    after ``bodies_per_process`` bodies.
    """

    kills = True

    def __init__(
        self, workers: int | None = None, *, bodies_per_process: int = BODIES_PER_PROCESS
    ) -> None:
        self.workers = cores() if workers is None else workers
        self.place = f"{self.workers} process{'es' if self.workers > 1 else ''}"
        self.find_changes: FindChanges | None = None
        """Called in a process before each body, with the import path of the service. If it returns
        anything, that and every other process are replaced, and the body runs in a new one. Can be
        pickled; set before :meth:`start`."""
        self.on_changes: Callable[[dict[str, Any]], object] = lambda changes: None
        """Called with what :attr:`find_changes` returned in a process."""
        self._bodies_per_process = bodies_per_process
        self._lock = threading.Lock()
        self._running = False
        self._parent = 0
        self._generation = 0
        self._processes: set[TaskProcess] = set()
        self._idle: list[TaskProcess] = []
        self._free_slots = self.workers
        self._waiting: dict[threading.Event, None] = {}

    def start(self) -> None:
        """Start the processes, and block until they can run a body. Raises
        :class:`CannotServeError` if one of them cannot."""
        with self._lock:
            self._running, self._parent = True, os.getpid()
        started = [self._start() for _ in range(self.workers)]
        for process in started:
            process.wait_until_ready()
        with self._lock:
            self._idle += started

    @contextmanager
    def slot(self, execution: Execution) -> Iterator[None]:
        """Wait until fewer than ``workers`` bodies have a slot, or ``execution`` is cancelled."""
        turn = threading.Event()
        with self._lock:
            granted = self._free_slots > 0
            if granted:
                self._free_slots -= 1
            else:
                self._waiting[turn] = None
        if not granted:
            which = "the process" if self.workers == 1 else f"one of the {self.workers} processes"
            execution.where = f"waits for {which}, busy with other tasks"
            execution.on_cancel(turn.set)
            turn.wait()
            execution.where = ""
            with self._lock:
                granted = turn not in self._waiting
                self._waiting.pop(turn, None)
        try:
            yield
        finally:
            if granted:
                self._leave_slot()

    def _leave_slot(self) -> None:
        with self._lock:
            turn = next(iter(self._waiting), None)
            if turn is None:
                self._free_slots += 1
                return
            del self._waiting[turn]
        turn.set()

    def run(self, execution: Execution, body: Body) -> Outcome:
        """Run ``body`` in a process, block until it has ended, and return its outcome."""
        ended = killed = 0
        while ended < _STARTS and killed < _KILLED_STARTS:
            execution.where = "waits for a process to start"
            try:
                process = self._take()
            except NotRunningError:  # the worker has stopped, and answered the run
                execution.uncount()
                return CANCELLED
            except BaseException:
                execution.uncount()
                raise
            try:
                outcome = process.run(execution, body)
                if process.changes:
                    self._replace_all(process)
            finally:
                self._give_back(process)
            if outcome is not None:
                return outcome
            if process.was_killed:
                killed += 1
            else:
                ended += 1
        execution.uncount()
        what = f"{ended + killed} processes ended before the task began"
        if killed:
            what += f", {killed} of them killed, as the system does when memory runs out"
        raise CannotServeError(what)

    def _replace_all(self, process: TaskProcess) -> None:
        """Replace the processes of the generation of ``process``, unless that was done, and call
        :attr:`on_changes`."""
        with self._lock:
            found_first = process.generation == self._generation
        if found_first:
            self.recycle()
        self.on_changes(process.changes)

    def recycle(self) -> None:
        """Let each body that begins from now on run in a process that was started after this
        call."""
        with self._lock:
            self._generation += 1
            old, self._idle = self._idle, []
        for process in old:
            process.retire()
        for _ in old:
            self._start_idle()

    def stop(self) -> None:
        """End the processes: idle ones get :data:`END_GRACE` seconds for their exit handlers, the
        others are killed. Does nothing if it is not running, and in a forked child."""
        if os.getpid() != self._parent:
            return
        with self._lock:
            self._running = False
            self._idle.clear()
            processes = list(self._processes)
        for process in processes:
            process.retire()
        deadline = time.monotonic() + END_GRACE
        for process in processes:
            process.end(max(0.0, deadline - time.monotonic()))
        with self._lock:
            self._processes.difference_update(processes)

    def _take(self) -> TaskProcess:
        while True:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            if process is None:
                return self._start()
            if process.usable:
                return process

    def _give_back(self, process: TaskProcess) -> None:
        with self._lock:
            if (
                self._running
                and process.usable
                and process.bodies_run < self._bodies_per_process
                and process.generation == self._generation
            ):
                self._idle.append(process)
                return
        process.retire()
        self._start_idle()

    def _start_idle(self) -> None:
        """Start a process, so that the next body finds one that is ready."""
        try:
            process = self._start()
        except (CannotServeError, NotRunningError, OSError):
            return  # the next body tries it again, and its error says why not
        with self._lock:
            if self._running:
                self._idle.insert(0, process)  # the last one to be taken: it needs time to start

    def _start(self) -> TaskProcess:
        with self._lock:
            if not self._running:
                raise NotRunningError("the worker is not running")
            process = TaskProcess(self._generation, self._exited, self.find_changes)
            self._processes.add(process)
        try:
            process.start()
        except BaseException:
            self._exited(process)
            raise
        return process

    def _exited(self, process: TaskProcess) -> None:
        with self._lock:
            self._processes.discard(process)
            if process in self._idle:
                self._idle.remove(process)
