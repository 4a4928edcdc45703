"""One execution of a body: its outcome, and how it is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.runs.bodies import (
    TIMEOUT,
    blocked,
    name_of_thread,
    refuses_to_stop,
    release,
    start,
    started,
    waits_for_ever,
)
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.thread_pool import ThreadPool


class TestCancel:
    """Bodies that are cancelled."""

    @pytest.mark.parametrize("wait_for_end", [True, False])
    @pytest.mark.parametrize("function", [waits_for_ever, refuses_to_stop])
    def test_async_body_ends(
        self, threads: ThreadPool, function: Callable[..., Any], wait_for_end: bool
    ) -> None:
        """An async body ends after a cancel."""
        execution = started(threads, function)
        execution.cancel(wait_for_end=wait_for_end)
        assert execution.wait_for_end(TIMEOUT)

    @pytest.mark.parametrize("function", [waits_for_ever, refuses_to_stop])
    def test_async_body_is_cancelled(
        self, threads: ThreadPool, function: Callable[..., Any]
    ) -> None:
        """The outcome of a cancelled async body is a cancellation, even if it returns a value."""
        execution = started(threads, function)
        execution.cancel(wait_for_end=True)
        assert execution.wait(TIMEOUT) == CANCELLED

    def test_sync_body_is_settled_at_once(self, threads: ThreadPool) -> None:
        """A cancelled sync body whose end is not waited for has its outcome at once."""
        execution = started(threads, blocked)
        execution.cancel(wait_for_end=False)
        assert execution.outcome == CANCELLED

    def test_sync_body_is_abandoned(self, threads: ThreadPool) -> None:
        """A sync body that still runs is marked as abandoned."""
        execution = started(threads, blocked)
        execution.cancel(wait_for_end=False)
        assert execution.abandoned

    def test_late_result_goes_nowhere(self, threads: ThreadPool) -> None:
        """The late result of an abandoned body is ignored."""
        execution = started(threads, blocked)
        execution.cancel(wait_for_end=False)
        release.set()
        execution.wait_for_end(TIMEOUT)
        assert execution.outcome == CANCELLED

    def test_sync_body_is_waited_for(self, threads: ThreadPool) -> None:
        """A sync body whose end is waited for has no outcome while it runs."""
        execution = started(threads, blocked)
        execution.cancel(wait_for_end=True)
        assert execution.outcome is None

    def test_sync_body_waited_for_is_cancelled(self, threads: ThreadPool) -> None:
        """A sync body whose end was waited for is cancelled, even if it returned a value."""
        execution = started(threads, blocked)
        execution.cancel(wait_for_end=True)
        release.set()
        assert execution.wait(TIMEOUT) == CANCELLED

    def test_waited_for_is_not_abandoned(self, threads: ThreadPool) -> None:
        """A body whose end was waited for is not marked as abandoned."""
        execution = started(threads, blocked)
        execution.cancel(wait_for_end=True)
        release.set()
        execution.wait_for_end(TIMEOUT)
        assert not execution.abandoned

    @pytest.mark.parametrize("wait_for_end", [True, False])
    def test_body_not_begun_never_starts(self, threads: ThreadPool, wait_for_end: bool) -> None:
        """A body that was cancelled before it began does not begin."""
        execution = Execution("body")
        execution.cancel(wait_for_end=wait_for_end)
        assert not execution.begin()

    @pytest.mark.parametrize("wait_for_end", [True, False])
    def test_body_not_begun_is_over(self, wait_for_end: bool) -> None:
        """The end of a body that never began is not waited for."""
        execution = Execution("body")
        execution.cancel(wait_for_end=wait_for_end)
        assert execution.ended

    def test_body_not_begun_is_not_abandoned(self) -> None:
        """A body that never began is not marked as abandoned."""
        execution = Execution("body")
        execution.cancel(wait_for_end=False)
        assert not execution.abandoned

    def test_abandoned_before_settled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who waits for the outcome finds the body marked as abandoned."""
        execution, found = Execution("body"), []
        assert execution.begin()
        monkeypatch.setattr(execution, "_notify", lambda: found.append(execution.abandoned))
        execution.cancel(wait_for_end=False)
        assert found == [True]

    def test_given_outcome(self, threads: ThreadPool) -> None:
        """A cancel may set another outcome, as a crash does."""
        execution = started(threads, blocked)
        crashed = Outcome("error", error={"kind": "Crash"})
        execution.cancel(wait_for_end=False, outcome=crashed)
        assert execution.outcome == crashed

    def test_after_the_end(self, threads: ThreadPool) -> None:
        """A cancel after the end changes nothing."""
        execution = start(threads, name_of_thread)
        execution.wait_for_end(TIMEOUT)
        execution.cancel(wait_for_end=False)
        assert not execution.cancel_requested

    def test_twice(self, threads: ThreadPool) -> None:
        """A second cancel that does not wait abandons a body for which the first one waits."""
        execution = started(threads, blocked)
        execution.cancel(wait_for_end=True)
        execution.cancel(wait_for_end=False)
        assert execution.abandoned

    def test_callback(self) -> None:
        """A callback is called on the cancel."""
        execution, called = Execution("body"), threading.Event()
        execution.on_cancel(called.set)
        execution.cancel(wait_for_end=True)
        assert called.is_set()

    def test_callback_too_early(self) -> None:
        """A callback is not called before the cancel."""
        execution, called = Execution("body"), threading.Event()
        execution.on_cancel(called.set)
        assert not called.is_set()

    def test_late_callback(self) -> None:
        """A callback added after the cancel is called at once."""
        execution, called = Execution("body"), threading.Event()
        execution.cancel(wait_for_end=True)
        execution.on_cancel(called.set)
        assert called.is_set()


class TestWithdraw:
    """A cancel of a body that its runner makes wait."""

    @pytest.fixture
    def execution(self) -> Execution:
        execution = Execution("body")
        assert execution.begin()
        return execution

    def test_withdrawn(self, execution: Execution) -> None:
        """A body that could be withdrawn has ended."""
        execution.on_withdraw(lambda: True)
        execution.cancel(wait_for_end=True)
        assert execution.ended

    def test_not_abandoned(self, execution: Execution) -> None:
        """A body that could be withdrawn is not abandoned."""
        execution.on_withdraw(lambda: True)
        execution.cancel(wait_for_end=False)
        assert not execution.abandoned

    def test_uncounted(self, execution: Execution) -> None:
        """A body that could be withdrawn is not counted before the outcome is known."""
        settled = []
        execution.on_withdraw(lambda: True)
        execution.uncount = lambda: settled.append(execution.outcome is not None)
        execution.cancel(wait_for_end=False)
        assert settled == [False]

    def test_once(self, execution: Execution) -> None:
        """A second cancel does not withdraw the body again."""
        calls = []

        def withdraw() -> bool:
            calls.append(1)
            return True

        execution.on_withdraw(withdraw)
        execution.cancel(wait_for_end=True)
        execution.cancel(wait_for_end=True)
        assert calls == [1]

    def test_early_cancel(self, execution: Execution) -> None:
        """A body is withdrawn at once if the execution was cancelled before."""
        execution.cancel(wait_for_end=True)
        assert execution.on_withdraw(lambda: True)

    def test_early_cancel_uncounted(self, execution: Execution) -> None:
        """Then it is not counted either."""
        uncounted: list[int] = []
        execution.uncount = lambda: uncounted.append(1)
        execution.cancel(wait_for_end=True)
        execution.on_withdraw(lambda: True)
        assert uncounted == [1]

    def test_running(self, execution: Execution) -> None:
        """A body that runs has not ended."""
        execution.on_withdraw(lambda: False)
        execution.cancel(wait_for_end=True)
        assert not execution.ended


class TestForwarding:
    """A task that is forwarded to upstream, or cancelled before that."""

    def test_forwarded(self) -> None:
        """A task that was not cancelled may be forwarded."""
        assert Execution("body").mark_forwarded(lambda: None)

    def test_cancelled_before(self) -> None:
        """A task that was kept from it may not be forwarded."""
        execution = Execution("body")
        execution.keep_from_forwarding()
        assert not execution.mark_forwarded(lambda: None)

    def test_forwarded_before(self) -> None:
        """A task that was forwarded is not marked as cancelled here."""
        execution = Execution("body")
        execution.mark_forwarded(lambda: None)
        assert (execution.keep_from_forwarding(), execution.cancel_requested) == (False, False)

    def test_stop(self) -> None:
        """A stop calls what ends the request to upstream."""
        execution, ended = Execution("body"), threading.Event()
        execution.mark_forwarded(ended.set)
        execution.cancel(wait_for_end=False)
        assert ended.is_set()


class TestExecution:
    """The outcome of one body."""

    def test_first_outcome_wins(self) -> None:
        """A second outcome is refused."""
        execution = Execution("body")
        execution.settle(CANCELLED)
        assert not execution.settle(Outcome("result"))

    def test_first_outcome_stands(self) -> None:
        """The first outcome stays."""
        execution = Execution("body")
        execution.settle(CANCELLED)
        execution.settle(Outcome("result"))
        assert execution.outcome == CANCELLED

    def test_wait_without_outcome(self) -> None:
        """A wait returns None when there is no outcome in time."""
        assert Execution("body").wait(0.0) is None


def test_where() -> None:
    """A body that runs in no thread of this process is said to be where its runner says."""
    execution = Execution("body")
    execution.where = "in process 4711"
    assert execution.stack() == "in process 4711\n"


def test_where_it_was() -> None:
    """A body that has ended is nowhere."""
    execution = Execution("body")
    execution.where = "in process 4711"
    execution.end()
    assert execution.stack() == ""
