"""Work that needs the bodies of tasks."""

from __future__ import annotations

import threading

from tests.run_records import returned
from tests.runs.bodies import result_of
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.steps import Step, Steps, at_once, finish
from wove_http_dev.runs.thread_pool import ThreadPool


def two_bodies(threads: ThreadPool) -> Steps[list[int]]:
    """The numbers of the threads in which two bodies run, one after the other."""
    found = []
    for _ in range(2):
        execution = Execution("body")
        yield Step(threads, execution, lambda: returned(threading.get_ident()))
        found.append(result_of(execution.outcome))
    return found


def test_finish_blocks_until_all_have_ended(threads: ThreadPool) -> None:
    """``finish()`` returns the value once each body has an outcome."""
    assert len(finish(two_bodies(threads))) == 2


def test_finish_runs_bodies_elsewhere(threads: ThreadPool) -> None:
    """The bodies run in other threads."""
    assert threading.get_ident() not in finish(two_bodies(threads))


def test_here(threads: ThreadPool) -> None:
    """The caller may run each body in its own thread."""
    steps = two_bodies(threads)
    assert [step.run_here(lambda: None) for step in steps] == [True, True]


def test_at_once() -> None:
    """A value may need no step."""
    assert finish(at_once(42)) == 42
