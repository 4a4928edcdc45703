"""Observers of a journal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.run_records import make_run, returned
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.observer import JournalObserver
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Exchange, Run


class Recorder(JournalObserver):
    """Remembers what it was called with, and the state of the run at that moment."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def exchange_opened(self, exchange: Exchange) -> None:
        self.calls.append(("opened", exchange.number))

    def exchange_updated(self, exchange: Exchange) -> None:
        self.calls.append(("updated", exchange.number))

    def exchange_closed(self, exchange: Exchange) -> None:
        self.calls.append(("closed", exchange.number, exchange.duration))

    def run_added(self, run: Run) -> None:
        self.calls.append(("added", run.args_pickle))

    def run_changed(self, run: Run) -> None:
        self.calls.append(("changed", run.state))

    def run_finished(self, run: Run, outcome: Outcome) -> None:
        self.calls.append(("finished", run.state, outcome))

    def run_lost(self, run: Run) -> None:
        self.calls.append(("lost", run.state))


class TestObservers:
    """Objects that are called as the journal changes."""

    @pytest.fixture
    def recorder(self, journal: Journal) -> Recorder:
        """An observer of ``journal``."""
        recorder = Recorder()
        journal.observe(recorder)
        return recorder

    def test_exchange(self, journal: Journal, recorder: Recorder) -> None:
        """An exchange is opened, updated and closed, its duration set."""
        exchange = journal.open()
        journal.update(exchange)
        journal.close(exchange)
        assert recorder.calls == [("opened", 1), ("updated", 1), ("closed", 1, 1.0)]

    def test_violation_is_noted_before_the_update(self, journal: Journal) -> None:
        """When an observer gets an update, the violation is already in the journal."""
        found: list[list[Exchange]] = []

        class Looks(JournalObserver):
            def exchange_updated(self, exchange: Exchange) -> None:
                found.append(journal.violations)

        journal.observe(Looks())
        exchange = journal.open()
        exchange.refusal = "signature"
        journal.update(exchange)
        assert found == [[exchange]]

    def test_run(self, journal: Journal, recorder: Recorder) -> None:
        """A run is added, changed and finished, each time after its state has changed."""
        run, outcome = make_run(args_pickle=b"args"), returned(1)
        journal.add_run(run)
        journal.change(run, "running")
        journal.finish(run, outcome)
        calls = [("added", b"args"), ("changed", "running"), ("finished", "succeeded", outcome)]
        assert recorder.calls == calls

    @pytest.mark.parametrize("journal", [Journal(byte_limit=1), Journal(count_limit=0)])
    def test_dropped_payload_was_seen(self, journal: Journal) -> None:
        """Observers get a run before the journal can drop its payload."""
        recorder = Recorder()
        journal.observe(recorder)
        for number in range(2):
            journal.add_run(make_run(run_id=f"run-{number}", args_pickle=b"args"))
        assert recorder.calls == [("added", b"args")] * 2

    def test_lost_run(self, journal: Journal, recorder: Recorder) -> None:
        """Observers get a lost run with the state ``lost``."""
        run = make_run()
        journal.lose(run)
        assert recorder.calls == [("lost", "lost")]

    @pytest.mark.parametrize("end", ["finish", "lose"])
    def test_second_end(self, journal: Journal, recorder: Recorder, end: str) -> None:
        """A second end of a run is reported as a change, and its state does not change."""
        run = make_run()
        journal.finish(run, returned(1))
        if end == "finish":
            journal.finish(run, returned(2))
        else:
            journal.lose(run)
        assert recorder.calls[1:] == [("changed", "succeeded")]

    def test_late_change(self, journal: Journal, recorder: Recorder) -> None:
        """A change after the end of a run is not reported."""
        run = make_run()
        journal.lose(run)
        journal.change(run, "running")
        assert len(recorder.calls) == 1

    def test_several(self, journal: Journal) -> None:
        """Each of several observers is called."""
        recorders = [Recorder(), Recorder()]
        for recorder in recorders:
            journal.observe(recorder)
        journal.open()
        assert [recorder.calls for recorder in recorders] == [[("opened", 1)]] * 2

    @pytest.mark.parametrize("method", [name for name in vars(JournalObserver) if name[0] != "_"])
    def test_failing(self, journal: Journal, method: str) -> None:
        """An observer's exception changes nothing for the caller and for other observers; it is a
        violation."""

        def fail(*_: object) -> None:
            raise ValueError("no")

        failing, run = JournalObserver(), make_run()
        setattr(failing, method, fail)
        journal.observe(failing)
        recorder = Recorder()
        journal.observe(recorder)
        exchange = journal.open()
        journal.update(exchange)
        journal.close(exchange)
        journal.add_run(run)
        journal.change(run, "running")
        journal.finish(run, returned(1))
        journal.lose(make_run())
        errors = {violation.error for violation in journal.violations}
        assert errors == {"an observer of the journal failed: ValueError: no"}
        names = [call[0] for call in recorder.calls if call[1] != 2]
        kinds = ["opened", "updated", "closed", "added", "changed", "finished", "lost"]
        assert list(dict.fromkeys(names)) == kinds

    def test_new_text(self, journal: Journal, recorder: Recorder) -> None:
        """A new text of a run is a change."""
        run = make_run()
        journal.update_run(run)
        assert recorder.calls == [("changed", "received")]

    @pytest.mark.parametrize(
        ("inspected", "calls"), [(True, ["changed", "closed"]), (False, ["closed"])]
    )
    def test_answered(self, inspected: bool, calls: list[str]) -> None:
        """When a run was answered is a change before its exchange is closed, if a person watches
        the runs."""
        journal, recorder = Journal(inspected=inspected), Recorder()
        exchange = journal.open()
        journal.add_run(make_run(exchange_number=exchange.number))
        journal.observe(recorder)
        journal.close(exchange)
        assert [call[0] for call in recorder.calls] == calls

    def test_stop_observing(self, journal: Journal, recorder: Recorder) -> None:
        """An observer that was removed, even twice, is not called any more; others are."""
        other = Recorder()
        journal.observe(other)
        for _ in range(2):
            journal.stop_observing(recorder)
        journal.open()
        assert (recorder.calls, other.calls) == ([], [("opened", 1)])

    def test_default(self, journal: Journal) -> None:
        """The default observer does nothing."""
        journal.observe(JournalObserver())
        exchange, run = journal.open(), make_run()
        journal.add_run(run)
        journal.change(run, "held")
        journal.lose(run)
        journal.update(exchange)
        journal.close(exchange)
        assert (journal.exchanges, list(journal.runs)) == ([exchange], [run])
