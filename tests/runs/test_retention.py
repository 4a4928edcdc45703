"""What a journal keeps: which records and payloads go first, and how much is kept at all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.run_records import FAILED, finished_run, make_run, returned
from wove_http_dev.errors import PayloadDroppedError
from wove_http_dev.runs.capture import Capture
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.outcome import CANCELLED, Outcome, error_outcome
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.runs.retention import VIOLATION_LIMIT, size_of_exchange, size_of_run
from wove_http_dev.runs.sizes import size_of

LARGE = 100_000


def exchange(journal: Journal, *, refusal: str = "", failure: bool = False) -> Exchange:
    """An exchange with a large header that has ended."""
    opened = journal.open()
    opened.head = "X: " + "x" * LARGE
    opened.refusal, opened.internal_error = refusal, failure
    journal.close(opened)
    return opened


def run(journal: Journal, number: int = 0) -> Run:
    """A run that returned a large result."""
    return finished_run(journal, returned(b"x" * LARGE), f"task-{number}")


class TestBytes:
    """The limit in bytes."""

    def test_exchanges(self) -> None:
        """Beyond the limit the oldest exchanges are removed."""
        journal = Journal(byte_limit=3 * LARGE)
        for _ in range(5):
            exchange(journal)
        assert [each.number for each in journal.exchanges] == [4, 5]

    @pytest.mark.parametrize("kind", ["exchanges", "refusals", "failures", "runs"])
    def test_size(self, kind: str) -> None:
        """Whatever arrives, the journal takes no more than its limit."""
        journal = Journal(byte_limit=5 * LARGE)
        for number in range(300):
            if kind == "runs":
                run(journal, number)
            else:
                refusal = "signature" if kind == "refusals" else ""
                exchange(journal, refusal=refusal, failure=kind == "failures")
        assert 2 * LARGE < journal.size <= 5 * LARGE

    def test_long_ids(self) -> None:
        """Runs whose ids are large are removed, because an id is no payload."""
        journal = Journal(byte_limit=5 * LARGE)
        for number in range(20):
            each = make_run(run_id=f"{number}" * LARGE)
            journal.add_run(each)
            journal.finish(each, CANCELLED)
        assert journal.size <= 5 * LARGE

    def test_runs_of_another_process(self) -> None:
        """A run of another process, which may have ended when it is added, counts with its
        texts."""
        journal = Journal(byte_limit=5 * LARGE)
        for _ in range(20):
            each = make_run()
            each.state, each.args_text = "succeeded", "x" * LARGE
            journal.adopt_run(each)
        assert 2 * LARGE < journal.size <= 5 * LARGE

    def test_long_messages(self) -> None:
        """Runs whose error messages fill the journal are removed."""
        journal = Journal(byte_limit=5 * LARGE)
        for _ in range(50):
            finished_run(journal, error_outcome(ValueError("x" * LARGE), source="task"))
        assert journal.size <= 5 * LARGE

    def test_refused_requests_leave_runs(self) -> None:
        """Requests that are refused leave half of the journal to the runs."""
        journal = Journal(byte_limit=10 * LARGE)
        kept = [run(journal, number) for number in range(4)]
        for _ in range(300):
            exchange(journal, refusal="signature")
        assert [len(each.result) for each in kept] == [LARGE] * 4

    def test_runs_leave_exchanges(self) -> None:
        """Large results leave small exchanges."""
        journal = Journal(byte_limit=10 * LARGE)
        journal.close(journal.open())
        for number in range(20):
            run(journal, number)
        assert len(journal.exchanges) == 1

    def test_newest_exchange_is_kept(self) -> None:
        """The newest exchange is kept, even if it alone is over the limit."""
        journal = Journal(byte_limit=1)
        assert journal.exchanges == [] != [exchange(journal)] == journal.exchanges

    def test_late_change_of_a_forgotten_exchange(self) -> None:
        """An exchange that ends after it was removed counts no byte."""
        journal = Journal(count_limit=1)
        old = journal.open()
        journal.open()
        before = journal.size
        old.error = "x" * LARGE
        journal.close(old)
        assert journal.size == before


class TestViolations:
    """Exchanges that strict mode reports."""

    def test_outlives_others(self) -> None:
        """A violation is kept when newer exchanges take the journal's bytes."""
        journal = Journal(byte_limit=4 * LARGE)
        violation = exchange(journal, refusal="signature")
        for _ in range(10):
            exchange(journal)
        assert journal.violations == [violation]

    def test_is_counted(self) -> None:
        """A violation counts once while it is among the exchanges, and after that."""
        journal = Journal(count_limit=1)
        violation = exchange(journal, refusal="signature")
        counted = [journal.size]
        newer = journal.open()
        counted.append(journal.size)
        size = size_of_exchange(violation)
        assert counted == [size, size + size_of(Exchange(0, 0.0))]
        assert journal.exchanges == [newer]

    @pytest.mark.parametrize("failure", [True, False])
    def test_newest_is_kept(self, failure: bool) -> None:
        """Strict mode has something to report, however small the journal is."""
        journal = Journal(byte_limit=1)
        exchange(journal, refusal="signature", failure=failure)
        newest = exchange(journal, refusal="signature", failure=failure)
        journal.open()
        assert journal.violations == [newest]

    def test_number(self) -> None:
        """A hundred refusals are kept, and what is forgotten is no longer counted."""
        journal = Journal(count_limit=1)
        for _ in range(2 * VIOLATION_LIMIT):
            exchange(journal, refusal="signature")
        assert len(journal.violations) == VIOLATION_LIMIT
        assert journal.size == sum(map(size_of_exchange, journal.violations))


class TestPayloads:
    """Payloads go before the runs that they belong to."""

    def two_runs(self, *, over: int) -> list[Run]:
        """Two runs that take ``over`` bytes more than their journal keeps."""
        runs = [make_run(run_id=name, args={"x": name}) for name in ("old", "new")]
        counted = Journal()
        for each in runs:
            counted.add_run(each)
        journal = Journal(byte_limit=counted.size - over)
        for each in runs:
            journal.add_run(each)
        assert list(journal.runs) == runs
        return runs

    def test_oldest_arguments_are_dropped(self) -> None:
        """Over the byte limit the oldest run's arguments are dropped."""
        old, _ = self.two_runs(over=1)
        with pytest.raises(PayloadDroppedError, match="arguments"):
            old.args  # noqa: B018

    def test_within_the_limit(self) -> None:
        """At the limit nothing is dropped."""
        old, _ = self.two_runs(over=0)
        assert old.args == {"x": "old"}

    def test_newest_is_kept(self) -> None:
        """The newest run keeps its arguments, even if they alone are over the limit."""
        _, new = self.two_runs(over=1000)
        assert new.args == {"x": "new"}

    def test_oldest_result_is_dropped(self) -> None:
        """Over the byte limit the oldest run's result is dropped, and the run stays."""
        journal = Journal(byte_limit=LARGE + 10_000)
        old, _ = run(journal, 1), run(journal, 2)
        assert len(journal.runs) == 2
        with pytest.raises(PayloadDroppedError, match="result"):
            old.result  # noqa: B018

    def test_result_of_a_removed_run(self) -> None:
        """A run that was removed has lost its payloads, whoever still holds it."""
        journal = Journal(byte_limit=1)
        old, _ = run(journal, 1), run(journal, 2)
        assert old not in journal.runs
        with pytest.raises(PayloadDroppedError, match="result"):
            old.result  # noqa: B018

    def test_newest_result_of_an_old_run_is_kept(self) -> None:
        """A run that lost its arguments while it ran keeps its result."""
        journal = Journal(byte_limit=LARGE + 10_000)
        slow = make_run(args_pickle=b"x" * LARGE)
        journal.add_run(slow)
        journal.add_run(make_run(args_pickle=b"x" * LARGE))
        journal.finish(slow, returned("late"))
        assert slow.result == "late"

    @pytest.mark.parametrize("payload", ["args_pickle", "callable_pickle"])
    def test_counts_before_the_run_ends(self, payload: str) -> None:
        """A payload takes bytes of the journal as soon as its run is added."""
        journal, fields = Journal(), dict[str, Any]({payload: b"x" * LARGE})
        journal.add_run(make_run(**fields))
        assert journal.size >= LARGE

    def test_rest_counts_at_the_end(self) -> None:
        """All that a run keeps takes bytes of the journal once the run has ended."""
        journal, ended = Journal(), make_run(run_id="x" * LARGE)
        journal.add_run(ended)
        journal.finish(ended, CANCELLED)
        assert journal.size == size_of_run(ended)

    def test_oldest_callable_is_dropped(self) -> None:
        """Over the byte limit the oldest run's function is dropped."""
        journal = Journal(byte_limit=LARGE + 10_000)
        old = make_run(callable_pickle=b"x" * LARGE)
        journal.add_run(old)
        journal.add_run(make_run(run_id="run-2", callable_pickle=b"x" * LARGE))
        assert old.callable_pickle is None

    def test_output_is_dropped(self) -> None:
        """Over the byte limit the oldest run's output is dropped."""
        journal = Journal(byte_limit=LARGE + 10_000)
        old = make_run()
        old._capture = Capture(journal.redaction.redact)
        old._capture.write(b"x" * 20_000)
        journal.add_run(old)
        journal.update_run(old)
        run(journal, 2)
        assert old.output == ""

    def test_new_text_counts(self) -> None:
        """A text that a run gets later takes bytes of the journal."""
        journal, each = Journal(), make_run()
        journal.add_run(each)
        each.args_text = "x" * LARGE
        journal.update_run(each)
        assert journal.size > LARGE

    def test_texts_survive(self) -> None:
        """The texts of a run, which are small, are kept when the payloads are dropped."""
        journal = Journal(byte_limit=LARGE + 10_000)
        old = finished_run(journal, Outcome("result", b"x" * LARGE, result_text="1"))
        run(journal, 2)
        assert old.result_text == "1"

    def test_error_survives(self) -> None:
        """The description of an error is kept when the payloads are dropped."""
        journal = Journal(byte_limit=LARGE + 10_000)
        failed = finished_run(journal, FAILED)
        journal.add_run(make_run(args_pickle=b"x" * LARGE))
        assert str(failed.error) == "no"

    def test_place_survives(self) -> None:
        """The place of an error is kept when the payloads are dropped."""
        journal = Journal(byte_limit=LARGE + 10_000)
        failed = finished_run(journal, Outcome("error", error={}, place="app.py:1 in task"))
        journal.add_run(make_run(args_pickle=b"x" * LARGE))
        assert failed.error_place == "app.py:1 in task"
