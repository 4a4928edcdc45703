"""The journal: what it keeps, and how to wait for it."""

from __future__ import annotations

import gc
import math
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.run_records import FAILED, finished_run, make_run, returned
from wove_http_dev.errors import UsageError, WaitTimeoutError
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.runs.records import STATES, Exchange

TIMEOUT = 10.0


class TestAnswered:
    """When a run was answered."""

    @pytest.mark.parametrize(("written", "answered"), [(True, 102.0), (False, None)])
    def test_answered(self, journal: Journal, written: bool, answered: float | None) -> None:
        """A run is answered when the exchange that delivered it ends with its reply written."""
        exchange = journal.open()
        run = make_run(exchange_number=exchange.number)
        journal.add_run(run)
        exchange.written = written
        journal.close(exchange)
        assert run.answered == answered

    def test_end_of_another_exchange(self, journal: Journal) -> None:
        """The end of another exchange says nothing of the run."""
        run = make_run(exchange_number=journal.open().number)
        journal.add_run(run)
        other = journal.open()
        other.written = True
        journal.close(other)
        assert run.answered is None

    def test_a_run_that_waits_beside_another(self, journal: Journal) -> None:
        """A run that was not answered yet is beside another, and not one of an initial value."""
        run = make_run(exchange_number=journal.open().number)
        other = make_run(exchange_number=journal.open().number)
        initial = make_run(exchange_number=journal.open().number, initial_value=True)
        for each in (run, other, initial):
            journal.add_run(each)
        assert journal.beside(run) == [other]

    @pytest.mark.parametrize(("received", "beside"), [(101.0, True), (103.0, False)])
    def test_a_run_answered_beside_another(
        self, journal: Journal, received: float, beside: bool
    ) -> None:
        """A run that was answered at 102.0 is beside one that had arrived then."""
        exchange = journal.open()
        answered = make_run(exchange_number=exchange.number)
        journal.add_run(answered)
        exchange.written = True
        journal.close(exchange)
        run = make_run()
        run.received = received
        assert (journal.beside(run) == [answered]) is beside

    def test_ended_run_is_not_kept(self, journal: Journal) -> None:
        """After its exchange has ended, only the journal's limits keep a run."""
        exchange = journal.open()
        journal.add_run(make_run(exchange_number=exchange.number))
        journal.close(exchange)
        reference = weakref.ref(journal.runs.last)
        journal.clear()
        gc.collect()
        assert reference() is None


class TestExchanges:
    """Requests and connections."""

    def test_opened(self, journal: Journal) -> None:
        """An exchange is in the journal from its opening."""
        exchange = journal.open()
        assert journal.exchanges == [exchange]

    def test_numbers(self, journal: Journal) -> None:
        """Exchanges are numbered in order of arrival."""
        assert [journal.open().number for _ in range(3)] == [1, 2, 3]

    def test_kind(self, journal: Journal) -> None:
        """A connection that never became a request has the kind ``connection``."""
        assert journal.open("connection").kind == "connection"

    def test_received(self, journal: Journal) -> None:
        """``received`` is the clock's time at the opening."""
        assert journal.open().received == 101.0

    def test_duration(self, journal: Journal) -> None:
        """The duration is from opening to closing."""
        exchange = journal.open()
        journal.close(exchange)
        assert exchange.duration == 1.0

    def test_duration_while_the_clock_is_set_back(self) -> None:
        """No exchange took less than no time."""
        times = iter([100.0, 50.0])
        journal = Journal(clock=lambda: next(times))
        exchange = journal.open()
        journal.close(exchange)
        assert exchange.duration == 0.0

    def test_list_is_a_copy(self, journal: Journal) -> None:
        """A change to the returned list does not change the journal."""
        journal.open()
        journal.exchanges.clear()
        assert len(journal.exchanges) == 1

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, False),
            ({"refusal": "signature"}, True),
            ({"code": "certificate-rejected"}, True),
            ({"error": "closed early"}, False),
            ({"refusal": "signature", "faults": ["reject-auth"]}, False),
            ({"code": "certificate-rejected", "faults": ["untrusted-ca"]}, False),
            ({"internal_error": True}, True),
            ({"internal_error": True, "faults": ["hang"]}, True),
        ],
    )
    def test_violation(self, changes: dict[str, Any], expected: bool) -> None:
        """A violation is a refusal or rejected certificate that no fault caused, or any internal
        error."""
        assert Exchange(1, 0.0, **changes).violation is expected

    def test_violations_are_kept(self, journal: Journal) -> None:
        """A violation is listed when the exchange closes."""
        exchange = journal.open()
        exchange.refusal = "signature"
        journal.close(exchange)
        assert journal.violations == [exchange]

    def test_violations_outlive_the_list(self) -> None:
        """A violation stays listed when newer exchanges push the exchange out."""
        journal = Journal(count_limit=1)
        exchange = journal.open()
        exchange.refusal = "signature"
        journal.close(exchange)
        journal.close(journal.open())
        assert journal.violations == [exchange]

    def test_refusals_do_not_push_out_a_failure(self, journal: Journal) -> None:
        """A failure of the service stays listed, however many requests are refused after it."""
        failure = journal.open()
        failure.internal_error = True
        journal.close(failure)
        for _ in range(200):
            exchange = journal.open()
            exchange.refusal = "signature"
            journal.close(exchange)
        assert journal.violations[0] is failure

    def test_refusal_that_becomes_a_failure(self, journal: Journal) -> None:
        """A refused request at which the service then failed is listed once."""
        exchange = journal.open()
        exchange.refusal = "signature"
        journal.update(exchange)
        exchange.internal_error = True
        journal.close(exchange)
        assert journal.violations == [exchange]


class TestStates:
    """The states of a run."""

    @pytest.mark.parametrize(
        ("outcome", "state"),
        [(returned(1), "succeeded"), (FAILED, "failed"), (CANCELLED, "cancelled")],
    )
    def test_finished(self, journal: Journal, outcome: Outcome, state: str) -> None:
        """Each outcome has a state."""
        assert finished_run(journal, outcome).state == state

    @pytest.mark.parametrize("state", ["held", "running"])
    def test_change(self, journal: Journal, state: str) -> None:
        """A run changes its state while it runs."""
        run = make_run()
        journal.add_run(run)
        journal.change(run, state)
        assert run.state == state

    @pytest.mark.parametrize("state", ["held", "running"])
    def test_no_change_after_the_end(self, journal: Journal, state: str) -> None:
        """The state of a finished run does not change."""
        run = finished_run(journal, CANCELLED)
        journal.change(run, state)
        assert run.state == "cancelled"

    def test_first_outcome_stands(self, journal: Journal) -> None:
        """A second outcome is ignored."""
        run = finished_run(journal, returned(1))
        journal.finish(run, CANCELLED)
        assert run.result == 1

    def test_started_once(self, journal: Journal) -> None:
        """``started`` is the first start of the body, even if it runs again."""
        run = make_run()
        journal.add_run(run)
        journal.change(run, "running")
        first = run.started
        journal.change(run, "running")
        assert run.started == first


class TestLosing:
    """Runs that were accepted and never had an outcome."""

    def test_state(self, journal: Journal) -> None:
        """The state of a lost run is ``lost``."""
        run = make_run()
        journal.add_run(run)
        journal.lose(run)
        assert run.state == "lost"

    def test_finished_run_is_not_lost(self, journal: Journal) -> None:
        """A finished run stays finished if it is declared lost."""
        run = finished_run(journal, returned(1))
        journal.lose(run)
        assert run.result == 1

    @pytest.mark.parametrize("state", ["lost", "finished"])
    def test_is_over(self, journal: Journal, state: str) -> None:
        """A wait for the end of a run returns when it is lost."""
        run = make_run()
        journal.add_run(run)
        journal.lose(run)
        assert journal.wait_for_runs(None, state, 1, 0.0).last is run

    def test_has_no_result(self, journal: Journal) -> None:
        """``result`` of a lost run raises an error that says so."""
        run = make_run()
        journal.add_run(run)
        journal.lose(run)
        with pytest.raises(UsageError, match="it is lost"):
            run.result  # noqa: B018


class TestBounds:
    """The journal's limits."""

    def test_exchanges(self) -> None:
        """The newest exchanges are kept."""
        journal = Journal(count_limit=3)
        for _ in range(5):
            journal.open()
        assert [exchange.number for exchange in journal.exchanges] == [3, 4, 5]

    def test_runs(self) -> None:
        """The newest runs are kept."""
        journal = Journal(count_limit=2)
        for name in "abc":
            finished_run(journal, CANCELLED, name)
        assert [run.task_id for run in journal.runs] == ["b", "c"]

    def test_unfinished_runs(self) -> None:
        """A run that has not ended is kept, however many newer runs there are."""
        journal = Journal(count_limit=2)
        journal.add_run(make_run("slow"))
        for name in "abc":
            finished_run(journal, CANCELLED, name)
        assert [run.task_id for run in journal.runs] == ["slow", "c"]

    def test_nothing(self) -> None:
        """A journal with a limit of 0 keeps nothing, not even a violation."""
        journal = Journal(count_limit=0)
        exchange = journal.open()
        exchange.internal_error = True
        journal.close(exchange)
        finished_run(journal, returned(1))
        assert (journal.exchanges, list(journal.runs), journal.violations) == ([], [], [])

    def test_size_of_nothing(self) -> None:
        """An emptied journal counts no byte."""
        journal = Journal()
        journal.close(journal.open())
        finished_run(journal, returned(b"x" * 1000))
        journal.clear()
        assert journal.size == 0

    @pytest.mark.parametrize("end", ["update", "close"])
    def test_exchange_is_counted(self, journal: Journal, end: str) -> None:
        """What an exchange keeps is counted before the reply is written, and at its end."""
        exchange = journal.open()
        before = journal.size
        exchange.error = "x" * 1000
        getattr(journal, end)(exchange)
        assert journal.size >= before + 1000

    @pytest.mark.parametrize("end", ["finish", "lose"])
    def test_end_of_a_run_is_counted(self, journal: Journal, end: str) -> None:
        """What a run keeps is counted again when it ends."""
        run = make_run()
        journal.add_run(run)
        if end == "finish":
            journal.finish(run, returned(b"x" * 1000))
        else:
            run.args_text = "x" * 1000
            journal.lose(run)
        assert journal.size > 1000

    @pytest.mark.parametrize("forget", ["by count", "by clear"])
    def test_forgotten_run_is_let_go(self, forget: str) -> None:
        """A run that was pushed out is garbage-collected, even if its payloads are small."""
        journal = Journal(count_limit=1)
        reference = weakref.ref(finished_run(journal, returned(1)))
        if forget == "by count":
            finished_run(journal, returned(2))
        else:
            journal.clear()
        gc.collect()
        assert reference() is None

    def test_run_that_ends_after_it_was_forgotten(self) -> None:
        """A run that ends after it was pushed out is garbage-collected."""
        journal = Journal()
        run = make_run()
        journal.add_run(run)
        journal.clear()
        journal.finish(run, returned(1))
        reference = weakref.ref(run)
        del run
        gc.collect()
        assert reference() is None


class TestClear:
    """``clear()`` empties the journal."""

    def test_exchanges(self, journal: Journal) -> None:
        """After ``clear()`` there is no exchange."""
        journal.open()
        journal.clear()
        assert journal.exchanges == []

    def test_runs(self, journal: Journal) -> None:
        """After ``clear()`` there is no run, not even one of an initial value."""
        journal.add_run(make_run(initial_value=True))
        journal.clear()
        assert len(journal.all_runs) == 0

    def test_violation(self, journal: Journal) -> None:
        """After ``clear()`` there is no violation."""
        exchange = journal.open()
        exchange.internal_error = True
        journal.close(exchange)
        journal.clear()
        assert journal.violations == []

    def test_exchange_under_way(self, journal: Journal) -> None:
        """An exchange that was opened before ``clear()`` is not a violation when it closes."""
        exchange = journal.open()
        exchange.refusal = "signature"
        journal.clear()
        journal.close(exchange)
        assert journal.violations == []

    def test_exchange_afterwards(self, journal: Journal) -> None:
        """An exchange that is opened after ``clear()`` may be a violation."""
        journal.open()
        journal.clear()
        exchange = journal.open()
        exchange.refusal = "signature"
        journal.close(exchange)
        assert journal.violations == [exchange]


class TestWaiting:
    """Waiting until the journal has runs in a state."""

    @pytest.mark.parametrize("state", ["received", "running", "succeeded", "finished"])
    def test_reached(self, journal: Journal, state: str) -> None:
        """A run has reached every state on its way."""
        run = finished_run(journal, returned(1))
        assert list(journal.wait_for_runs("task", state, 1, 0.0)) == [run]

    @pytest.mark.parametrize("state", ["held", "failed", "cancelled"])
    def test_not_reached(self, journal: Journal, state: str) -> None:
        """A run has not reached a state that is not on its way."""
        finished_run(journal, returned(1))
        with pytest.raises(WaitTimeoutError):
            journal.wait_for_runs("task", state, 1, 0.0)

    @pytest.mark.parametrize("state", [state for state in STATES if state != "received"])
    def test_just_received(self, journal: Journal, state: str) -> None:
        """A run that was just received has reached no other state."""
        journal.add_run(make_run())
        with pytest.raises(WaitTimeoutError):
            journal.wait_for_runs(None, state, 1, 0.0)

    def test_unknown_state(self, journal: Journal) -> None:
        """An unknown state is a usage error that lists the states."""
        with pytest.raises(UsageError, match="received, held, running"):
            journal.wait_for_runs(None, "done", 1, 0.0)

    def test_initial_values_do_not_count(self, journal: Journal) -> None:
        """A wait for runs ignores Wove's own initial values."""
        journal.add_run(make_run("data", initial_value=True))
        with pytest.raises(WaitTimeoutError):
            journal.wait_for_runs(None, "received", 1, 0.0)

    def test_other_task_does_not_count(self, journal: Journal) -> None:
        """A run of another task does not count."""
        journal.add_run(make_run("other"))
        with pytest.raises(WaitTimeoutError):
            journal.wait_for_runs("task", "received", 1, 0.0)

    def test_count(self, journal: Journal) -> None:
        """One run does not satisfy a count of 2."""
        journal.add_run(make_run())
        with pytest.raises(WaitTimeoutError, match="1 of 2 runs arrived within 0 s"):
            journal.wait_for_runs(None, "received", 2, 0.0)

    @pytest.mark.parametrize(
        ("task", "state", "message"),
        [
            ("covert", "finished", "no run of 'covert' finished within 0 s; tasks seen: convert,"),
            ("covert", "finished", r"store; did you mean 'convert'\?"),
            ("convert", "cancelled", r"no run of 'convert' was cancelled within 0 s; .* store\n"),
            ("zzz", "received", r"no run of 'zzz' arrived within 0 s; .* store\n"),
            ("con*", "held", r"no run of 'con\*' was held within 0 s; .* store\n"),
            (None, "running", r"no run started within 0 s; .* store\n"),
        ],
        ids=["seen", "meant", "no-typo", "nothing-near", "glob", "any"],
    )
    def test_error_names_the_tasks(
        self, journal: Journal, task: str | None, state: str, message: str
    ) -> None:
        """The error says what was waited for, which tasks arrived and which one was meant."""
        for name in ("convert", "store", "convert"):
            journal.add_run(make_run(name))
        with pytest.raises(WaitTimeoutError, match=message):
            journal.wait_for_runs(task, state, 1, 0.0)

    def test_error_lists_some_tasks(self, journal: Journal) -> None:
        """Of many tasks the error lists twenty."""
        for number in range(25):
            journal.add_run(make_run(f"task-{number:02}"))
        with pytest.raises(WaitTimeoutError, match="task-18, task-19 and 5 more"):
            journal.wait_for_runs("other", "finished", 1, 0.0)

    def test_error_is_printable(self, journal: Journal) -> None:
        """The names of the tasks seen cannot put control characters into the message."""
        journal.add_run(make_run("x\x1b[2J\ud800"))
        with pytest.raises(WaitTimeoutError, match=r"tasks seen: x\\x1b\[2J\\ud800"):
            journal.wait_for_runs("other", "finished", 1, 0.0)

    def test_error_without_a_run(self, journal: Journal) -> None:
        """Initial values are not among the tasks seen."""
        journal.add_run(make_run("data", initial_value=True))
        with pytest.raises(WaitTimeoutError, match="within 0 s; no run has arrived"):
            journal.wait_for_runs("task", "finished", 1, 0.0)

    def test_error_carries_the_journal(self, journal: Journal) -> None:
        """The error after the timeout contains the journal."""
        journal.open().refusal = "signature: does not match"
        with pytest.raises(WaitTimeoutError, match="signature: does not match"):
            journal.wait_for_runs(None, "received", 1, 0.0)

    def test_error_of_an_empty_journal(self, journal: Journal) -> None:
        """The error says that nothing arrived."""
        with pytest.raises(WaitTimeoutError, match="nothing arrived"):
            journal.wait_for_runs(None, "received", 1, 0.0)

    def test_woken_by_a_run(self, journal: Journal, pool: ThreadPoolExecutor) -> None:
        """A wait ends when a run arrives."""
        waiting = threading.Event()

        def arrived() -> bool:
            waiting.set()
            return len(journal.runs) == 1

        waiter = pool.submit(journal.wait, arrived, TIMEOUT, "a run")
        assert waiting.wait(TIMEOUT)
        journal.add_run(make_run())
        assert waiter.result(TIMEOUT) is None

    def test_without_a_limit(self, journal: Journal, pool: ThreadPoolExecutor) -> None:
        """An infinite time limit is allowed."""
        waiting = threading.Event()

        def arrived() -> bool:
            waiting.set()
            return len(journal.runs) == 1

        waiter = pool.submit(journal.wait, arrived, math.inf, "a run")
        assert waiting.wait(TIMEOUT)
        journal.add_run(make_run())
        assert waiter.result(TIMEOUT) is None

    @pytest.mark.parametrize("task", ["", 7])
    def test_what_is_no_task(self, journal: Journal, task: Any) -> None:
        """A task that can match no run is an error at once."""
        with pytest.raises(UsageError, match="task must be a name or a glob"):
            journal.wait_for_runs(task, "received", 1, 0.0)

    def test_woken_by_an_exchange(self, journal: Journal, pool: ThreadPoolExecutor) -> None:
        """A wait ends when an exchange closes."""
        waiting = threading.Event()
        exchange = journal.open()

        def closed() -> bool:
            waiting.set()
            return exchange.duration is not None

        waiter = pool.submit(journal.wait, closed, TIMEOUT, "a close")
        assert waiting.wait(TIMEOUT)
        journal.close(exchange)
        assert waiter.result(TIMEOUT) is None


class TestRender:
    """The journal as text."""

    def test_empty(self, journal: Journal) -> None:
        """An empty journal says so."""
        assert journal.render() == "journal: nothing arrived"

    def test_lines(self, journal: Journal) -> None:
        """Each exchange has a line."""
        journal.open()
        journal.open("connection")
        assert journal.render().splitlines() == [
            "journal: 2 exchange(s)",
            "  #1 request -> no answer",
            "  #2 connection -> no answer",
        ]

    def test_limit(self, journal: Journal) -> None:
        """Of many exchanges the last ones are shown."""
        for _ in range(5):
            journal.open()
        head, *lines = journal.render(limit=2).splitlines()
        assert (head, len(lines)) == ("journal: 5 exchange(s), the last 2 of them", 2)


def test_many_threads(journal: Journal, pool: ThreadPoolExecutor) -> None:
    """Nothing is lost when many threads write."""

    def write(_: int) -> None:
        for _ in range(100):
            journal.close(journal.open())

    list(pool.map(write, range(8)))
    assert sorted(exchange.number for exchange in journal.exchanges) == list(range(1, 801))


def test_settle_waits_for_a_reply_that_is_being_written(
    journal: Journal, pool: ThreadPoolExecutor
) -> None:
    """``settle()`` returns when an exchange that has a status is closed."""
    exchange = journal.open()
    exchange.status = 200

    def settled() -> float | None:
        journal.settle(TIMEOUT)
        return exchange.duration

    duration = pool.submit(settled)
    journal.close(exchange)
    assert duration.result(TIMEOUT) is not None


def test_settle_does_not_wait_for_a_fault(journal: Journal) -> None:
    """``settle()`` does not wait for a reply that a fault may delay."""
    exchange = journal.open()
    exchange.status, exchange.faults = 200, ["slow-body"]
    journal.settle(threading.TIMEOUT_MAX)
