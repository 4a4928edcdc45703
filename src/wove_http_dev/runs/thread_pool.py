"""``ThreadPool``: the threads in which runs wait for their gates, and in which their bodies are
run, or waited for: those that serve their requests, and daemon threads of the pool."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from wove_http_dev.forks import ForkedChildExits
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome, error_outcome
from wove_http_dev.runs.threads import join_threads, start_thread

IDLE_THREADS = 32
"""Idle threads that are kept. Wove's executor has at most 32 requests in flight."""

Job = Callable[[], None]


class ThreadPool:
    """An unlimited pool of daemon threads that keeps up to :data:`IDLE_THREADS` idle ones."""

    def __init__(self, name: str = "wove-http-dev") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[Job | None]] = []
        self._threads: set[threading.Thread] = set()
        self._executions: dict[Execution, threading.Thread | None] = {}
        """Each with the thread in which it runs, unless that is one of the pool."""
        self._count = 0
        self._open = True

    def start(self, execution: Execution, body: Callable[[], Outcome]) -> None:
        """Run ``body`` in a thread, and settle ``execution`` with its outcome."""
        with self._lock:
            self._executions[execution] = None
        try:
            self.submit(partial(self._run, execution, body))
        except BaseException:
            self._forget(execution)
            raise

    def run_here(
        self, execution: Execution, body: Callable[[], Outcome], go_on: Callable[[], None]
    ) -> bool:
        """Run ``body`` in this thread, and settle ``execution`` with its outcome. Return whether
        this thread goes on; if not, a cancel came before, and ``go_on`` is called, or was, in a
        thread of the pool."""
        with self._lock:
            self._executions[execution] = threading.current_thread()  # stop() waits for it
        execution.replace_on_cancel(partial(self.submit, go_on))
        self._run(execution, body)
        return not execution.replaced

    def _run(self, execution: Execution, body: Callable[[], Outcome]) -> None:
        try:
            with ForkedChildExits():
                outcome = body()
            execution.settle(CANCELLED if execution.cancel_requested else outcome)
        except BaseException as exc:  # a bug of the service: the client gets an error for it
            execution.settle(error_outcome(exc, source="worker"))
        finally:
            if not execution.left_running:
                execution.end()
            self._forget(execution)

    def _forget(self, execution: Execution) -> None:
        with self._lock:
            self._executions.pop(execution, None)

    def submit(self, job: Job) -> None:
        """Call ``job`` in a thread of the pool. Raises :class:`NoThreadError` if none can start."""
        with self._lock:
            mailbox = self._idle.pop() if self._idle else None
            if mailbox is None:
                mailbox = SimpleQueue()
                self._count += 1
                name = f"{self._name}-run-{self._count}"
                # It waits for a job before it needs the lock, so that it can be entered after it
                # has started: a thread that does not start is not entered at all.
                self._threads.add(start_thread(self._work, mailbox, name=name))
        mailbox.put(job)

    def _work(self, mailbox: SimpleQueue[Job | None]) -> None:
        try:
            while True:
                job = mailbox.get()
                if job is None:
                    return
                job()
                del job
                with self._lock:
                    if not self._open or len(self._idle) >= IDLE_THREADS:
                        return
                    self._idle.append(mailbox)
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())

    @property
    def executions(self) -> list[Execution]:
        """The executions whose body has not ended, including those that were abandoned."""
        with self._lock:
            return list(self._executions)

    def stop(self, timeout: float) -> list[str]:
        """Cancel every execution and wait at most ``timeout`` seconds for the bodies to end.
        Returns the names of those that still run; their threads end when the bodies end."""
        for execution in self.executions:
            execution.cancel(wait_for_end=False)
        with self._lock:
            self._open = False
            while self._idle:
                self._idle[-1].put(None)
                self._idle.pop()  # after the put(): a stop that Ctrl-C interrupts is called again
            threads = {*self._threads, *filter(None, self._executions.values())}
        join_threads(threads, timeout)
        return [execution.name for execution in self.executions]

    def reopen(self) -> None:
        """Accept bodies again after :meth:`stop`."""
        with self._lock:
            self._open = True
