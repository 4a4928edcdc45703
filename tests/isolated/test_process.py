"""One child process, seen from its parent, which does not serve."""

from __future__ import annotations

import errno
import gc
import os
import subprocess
import threading
import weakref
from collections.abc import Iterator

import pytest

from tests.forked import status_in_a_fork
from tests.run_records import make_run, returned
from wove_http_dev.errors import UsageError
from wove_http_dev.faults.injections import Injections
from wove_http_dev.isolated import serialization
from wove_http_dev.isolated.process import ChildProcess
from wove_http_dev.runs.holds import Gates
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.stubs import Stubs
from wove_http_dev.service.host import HostState

TIMEOUT = 10.0


@pytest.fixture
def state() -> HostState:
    """The state of a worker."""
    journal = Journal()
    return HostState(journal, Gates(journal), Stubs(), Injections())


@pytest.fixture
def child(state: HostState) -> Iterator[ChildProcess]:
    """A child process that was not asked to serve."""
    child = ChildProcess(state, lambda run_id, injection: "")
    yield child
    child.end()


def test_alive(child: ChildProcess) -> None:
    """A started child is alive."""
    assert child.alive
    assert child.process.poll() is None


def test_end(child: ChildProcess, state: HostState) -> None:
    """``end()`` returns after the process has ended, and adds nothing to the journal."""
    with pytest.raises(UsageError):  # a response: it has started
        child.channel.request("unknown", None, 60.0)
    child.end()
    assert (child.alive, child.process.poll(), state.journal.exchanges) == (False, 0, [])


def test_end_by_itself(child: ChildProcess, state: HostState) -> None:
    """A process that ends by itself is a violation."""
    child.process.kill()
    assert child.ended.wait(TIMEOUT)
    (exchange,) = state.journal.violations
    assert (exchange.kind, exchange.code, exchange.error) == (
        "connection",
        "worker-ended",
        "the worker process ended by itself",
    )


def test_end_while_another_process_has_the_descriptor(child: ChildProcess) -> None:
    """The end is noticed although something else keeps a copy of the child's descriptor."""
    with child._child_end.dup():
        child.process.kill()
        assert child.ended.wait(TIMEOUT)


def test_process_that_cannot_start(state: HostState, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that cannot start leaves no descriptor and no thread."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", fail)
    before = set(os.listdir("/dev/fd")), threading.active_count()
    with pytest.raises(OSError, match="temporarily"):
        ChildProcess(state, lambda run_id, injection: "")
    assert (set(os.listdir("/dev/fd")), threading.active_count()) == before


def test_expected_end(child: ChildProcess, state: HostState) -> None:
    """An end that was expected is not a violation."""
    child.end_expected = True
    child.process.kill()
    assert child.ended.wait(TIMEOUT)
    assert state.journal.violations == []


def test_finished_run_is_not_kept(child: ChildProcess, state: HostState) -> None:
    """A run that has finished is in memory only as long as the journal has it, and a late report
    of it is ignored."""
    run = make_run(args_pickle=b"args")
    outcome = serialization.outcome_to_record(returned(1))
    child._run_added(serialization.run_to_record(run))
    child._run_finished([run.run_id, serialization.changes_to_record(run), outcome])
    kept = weakref.ref(state.journal.all_runs.last)
    state.journal.clear()
    gc.collect()
    child._run_changed([run.run_id, serialization.changes_to_record(run)])
    assert kept() is None


def test_unfinished_run_is_lost_at_the_end(child: ChildProcess, state: HostState) -> None:
    """A run that has not finished is lost with the process, also when the journal was emptied."""
    child._run_added(serialization.run_to_record(make_run()))
    run = state.journal.all_runs.last
    state.journal.clear()
    child.end()
    assert run.state == "lost"


def test_in_a_fork(child: ChildProcess) -> None:
    """In a process that this one forks there is no child, and ``end()`` ends nothing."""

    def ends() -> bool:
        child.end()
        return not child.alive

    status = status_in_a_fork(ends)
    assert (status, child.alive, child.process.poll()) == (0, True, None)


def test_failure_in_the_account_of_the_end(
    child: ChildProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end is known although entering it into the journal failed."""

    def fail() -> None:
        raise MemoryError

    monkeypatch.setattr(child, "_record_end", fail)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    child.process.kill()
    assert child.ended.wait(TIMEOUT)
