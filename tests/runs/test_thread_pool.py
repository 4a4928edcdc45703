"""The threads of runs."""

from __future__ import annotations

import os
import select
import signal
import threading
from queue import SimpleQueue

import pytest

from tests.forked import fork
from tests.run_records import returned
from tests.runs.bodies import (
    THREADS,
    TIMEOUT,
    begun,
    blocked,
    error_of,
    name_of_thread,
    result_of,
    start,
    started,
    waits_for_ever,
)
from wove_http_dev.protocol.frames import loads
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.thread_pool import ThreadPool


class TestThreads:
    """The pool's threads."""

    def test_runs_elsewhere(self, threads: ThreadPool) -> None:
        """A body runs on a thread of the pool."""
        name = result_of(start(threads, name_of_thread).wait(TIMEOUT))
        assert name.startswith(THREADS)

    def test_reused(self, threads: ThreadPool) -> None:
        """Bodies that run one after the other share threads."""
        names = set()
        for _ in range(100):
            execution = start(threads, name_of_thread)
            execution.wait_for_end(TIMEOUT)
            names.add(result_of(execution.outcome))
        assert len(names) < 100

    def test_as_many_as_needed(self, threads: ThreadPool) -> None:
        """Bodies that wait for each other each have a thread."""
        together = threading.Barrier(40)

        def body() -> Outcome:
            together.wait(TIMEOUT)
            return Outcome("result")

        executions = [Execution(str(number)) for number in range(40)]
        for execution in executions:
            threads.start(execution, body)
        outcomes = [execution.wait(TIMEOUT) for execution in executions]
        assert outcomes == [Outcome("result")] * 40

    def test_gone_after_stop(self) -> None:
        """After ``stop()`` the pool has no thread."""
        threads = ThreadPool("stopped-pool")
        start(threads, name_of_thread).wait_for_end(TIMEOUT)
        threads.stop(TIMEOUT)
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith("stopped-pool")]

    def test_stop_names_stuck_bodies(self, threads: ThreadPool) -> None:
        """``stop()`` names the bodies that do not end."""
        start(threads, blocked, "the stuck one")
        assert begun.wait(TIMEOUT)
        assert threads.stop(0.0) == ["the stuck one"]

    def test_stop_names_no_body(self, threads: ThreadPool) -> None:
        """``stop()`` returns no names if all bodies have ended."""
        started(threads, waits_for_ever)
        assert threads.stop(TIMEOUT) == []

    def test_stop_settles(self, threads: ThreadPool) -> None:
        """``stop()`` cancels running bodies."""
        execution = started(threads, blocked)
        threads.stop(0.0)
        assert execution.outcome == CANCELLED

    def test_abandoned_body_is_listed(self, threads: ThreadPool) -> None:
        """An abandoned body is listed until it ends."""
        execution = started(threads, blocked)
        execution.cancel(wait_for_end=False)
        assert threads.executions == [execution]

    def test_works_after_reopening(self, threads: ThreadPool) -> None:
        """After ``stop()`` the pool can be opened again."""
        threads.stop(TIMEOUT)
        threads.reopen()
        assert start(threads, name_of_thread).wait(TIMEOUT)

    @pytest.mark.parametrize("exception", [ValueError("ours"), SystemExit("ours")], ids=repr)
    def test_failure_outside_the_body(self, threads: ThreadPool, exception: BaseException) -> None:
        """A failure outside the body becomes an outcome and does not end the thread."""

        def body() -> Outcome:
            raise exception

        execution = Execution("body")
        threads.start(execution, body)
        outcome = execution.wait(TIMEOUT)
        assert outcome is not None
        assert error_of(outcome)["source"] == "worker"


class TestHere:
    """A body in the thread that calls."""

    def test_thread(self, threads: ThreadPool) -> None:
        """The body runs in the thread that calls."""
        execution = Execution("here")
        threads.run_here(execution, lambda: returned(threading.get_ident()), pytest.fail)
        assert result_of(execution.outcome) == threading.get_ident()

    def test_goes_on(self, threads: ThreadPool) -> None:
        """The thread goes on if the body ends by itself."""
        assert threads.run_here(Execution("here"), lambda: returned(1), pytest.fail)

    def test_goes_on_after_an_early_cancel(self, threads: ThreadPool) -> None:
        """The thread goes on if the execution was cancelled before."""
        execution = Execution("here")
        execution.cancel(wait_for_end=False)
        assert threads.run_here(execution, lambda: returned(1), pytest.fail)

    def test_cancel(self, threads: ThreadPool) -> None:
        """A cancel of a body that has not ended lets another thread go on, while it runs."""
        execution, others = Execution("here"), SimpleQueue[int]()

        def body() -> Outcome:
            execution.begin()
            execution.cancel(wait_for_end=False)
            return returned(others.get(timeout=TIMEOUT))

        goes_on = threads.run_here(execution, body, lambda: others.put(threading.get_ident()))
        assert (goes_on, execution.outcome, execution.abandoned) == (False, CANCELLED, True)

    def test_cancel_without_a_thread(
        self, threads: ThreadPool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If there is no other thread, this one goes on when the body has ended."""
        execution = Execution("here")

        def start(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        def body() -> Outcome:
            execution.begin()
            monkeypatch.setattr(threading.Thread, "start", start)
            execution.cancel(wait_for_end=False)
            return returned(1)

        goes_on = threads.run_here(execution, body, pytest.fail)
        assert (goes_on, execution.outcome) == (True, CANCELLED)

    def test_acknowledged_cancel(self, threads: ThreadPool) -> None:
        """A cancel that waits for the body's end leaves the thread as it is."""
        execution = Execution("here")

        def body() -> Outcome:
            execution.begin()
            execution.cancel(wait_for_end=True)
            return returned(1)

        assert threads.run_here(execution, body, pytest.fail)

    def test_stop_names_it(self, threads: ThreadPool) -> None:
        """``stop()`` in another thread names a body that does not end."""
        begun, may_end, names = threading.Event(), threading.Event(), list[str]()

        def stop() -> None:
            begun.wait(TIMEOUT)
            names.extend(threads.stop(0.0))
            may_end.set()

        def body() -> Outcome:
            begun.set()
            may_end.wait(TIMEOUT)
            return returned(1)

        stopping = threading.Thread(target=stop)
        stopping.start()
        threads.run_here(Execution("the stuck one"), body, lambda: None)
        stopping.join(TIMEOUT)
        assert names == ["the stuck one"]


@pytest.mark.parametrize("raises", [False, True])
def test_body_that_forks_and_ends(threads: ThreadPool, raises: bool) -> None:
    """The child that a body forks ends when the body ends in it, and is no second worker."""
    reader, writer = os.pipe()

    def forks() -> Outcome:
        pid = fork()
        os.close(writer if pid else reader)
        if raises and not pid:
            raise ValueError("no")
        return returned(pid)

    with open(reader, "rb") as ends:
        execution = Execution("forks")
        threads.start(execution, forks)
        outcome = execution.wait(TIMEOUT)
        assert outcome is not None
        assert outcome.result_pickle is not None
        pid = loads(outcome.result_pickle)
        ended, _, _ = select.select([ends], [], [], TIMEOUT)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
