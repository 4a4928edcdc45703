"""What ``serve`` logs: the entries that a journal's changes make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.run_records import FAILED, SECRET, finished_run, make_run, returned
from wove_http_dev.cli.serve_log import ServeLog, still_open
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.outcome import CANCELLED, error_outcome
from wove_http_dev.runs.records import Exchange, Run

NOW = 1000.5


class Log:
    """A journal, and the entries that are logged of it."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.journal = Journal(secrets=[SECRET], clock=lambda: NOW)
        self.log = ServeLog(
            self.entries.append, clean=self.journal.redaction.clean, clock=lambda: NOW
        )
        self.journal.observe(self.log)

    @property
    def events(self) -> list[str]:
        return [entry["event"] for entry in self.entries]

    def start(self, run: Run) -> None:
        """Add ``run`` and start its body."""
        self.journal.add_run(run)
        self.journal.change(run, "running")
        run.args_text = "n=3"
        self.journal.update_run(run)

    def close(self, **words: Any) -> dict[str, Any]:
        """Close an exchange with these attributes, and return its entry."""
        exchange = self.journal.open(words.pop("kind", "request"))
        for name, value in words.items():
            setattr(exchange, name, value)
        self.journal.close(exchange)
        return self.entries[-1]


@pytest.fixture
def log() -> Log:
    return Log()


def test_run(log: Log) -> None:
    """A run has an entry when it starts and one when it ends."""
    finished_run(log.journal, returned(1))
    assert log.events == ["run-started", "run-ended"]


def test_start(log: Log) -> None:
    """The entry of a start says when, and which run and task."""
    log.start(make_run("render"))
    assert log.entries == [
        {
            "time": NOW,
            "event": "run-started",
            "run_id": "run-1",
            "task_id": "render",
            "args": "n=3",
        }
    ]


def test_start_before_the_arguments_are_known(log: Log) -> None:
    """The start is not logged before the arguments are loaded."""
    run = make_run()
    log.journal.add_run(run)
    log.journal.change(run, "running")
    assert log.events == []


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(returned(1), "succeeded"), (FAILED, "failed"), (CANCELLED, "cancelled")],
    ids=["succeeded", "failed", "cancelled"],
)
def test_end(log: Log, outcome: Any, state: str) -> None:
    """The entry of an end says how the run ended."""
    finished_run(log.journal, outcome)
    assert log.entries[-1]["state"] == state


def test_error(log: Log) -> None:
    """A failed run has its error, and where it was raised."""
    finished_run(log.journal, replace(FAILED, place="app.py:12 in render"))
    entry = log.entries[-1]
    assert (entry["error"], entry["error_place"]) == ("ValueError: no", "app.py:12 in render")


def test_result(log: Log) -> None:
    """A run that returned has the text of its result."""
    finished_run(log.journal, replace(returned(1), result_text="1"))
    assert log.entries[-1]["result"] == "1"


def test_arguments_at_the_end(log: Log) -> None:
    """The entry of an end has the arguments as well."""
    run = make_run()
    log.start(run)
    log.journal.finish(run, FAILED)
    assert log.entries[-1]["args"] == "n=3"


def test_secret_in_an_error(log: Log) -> None:
    """The worker's secret is not logged."""
    finished_run(log.journal, error_outcome(ValueError(SECRET), source="task"))
    assert SECRET not in str(log.entries)


def test_run_lost(log: Log) -> None:
    """A run whose request was refused late ends as well."""
    run = make_run()
    log.journal.add_run(run)
    log.journal.lose(run)
    assert log.entries[-1]["state"] == "lost"


def test_run_that_ends_twice(log: Log) -> None:
    """A run that ends again has one entry of an end."""
    log.journal.finish(finished_run(log.journal, returned(1)), returned(2))
    assert log.events.count("run-ended") == 1


def test_run_that_starts_twice(log: Log) -> None:
    """A run whose body starts again has one entry of a start."""
    run = make_run()
    for _ in range(2):
        log.start(run)
    assert log.events == ["run-started"]


def test_end_before_the_start(log: Log) -> None:
    """The start is logged first, whichever thread comes first."""
    run = make_run()
    run.started, run.state = 1.0, "succeeded"
    log.log.run_finished(run, returned(1))
    log.log.run_changed(run)
    assert log.events == ["run-started", "run-ended"]


def test_run_that_never_started(log: Log) -> None:
    """A run that was cancelled before it started has no start."""
    run = make_run()
    log.journal.add_run(run)
    log.journal.finish(run, CANCELLED)
    assert log.events == ["run-ended"]


def test_held_run(log: Log) -> None:
    """A run that a gate holds is logged, because it would look like one that hangs."""
    run = make_run()
    log.journal.add_run(run)
    run._held_by = ("hold('render')",)
    log.journal.change(run, "held")
    assert (log.events, log.entries[0]["held_by"]) == (["run-held"], ["hold('render')"])


def test_initial_value(log: Log) -> None:
    """An initial value of a weave, which Wove sends as a task, is not logged."""
    run = make_run(initial_value=True)
    log.journal.add_run(run)
    log.journal.change(run, "running")
    log.journal.finish(run, returned(1))
    assert log.events == []


def test_initial_value_that_fails(log: Log) -> None:
    """One that fails is logged."""
    run = make_run(initial_value=True)
    log.journal.add_run(run)
    log.journal.finish(run, FAILED)
    assert log.events == ["run-ended"]


def test_ended_runs_are_not_kept(log: Log) -> None:
    """The log keeps no run that has ended."""
    finished_run(log.journal, returned(1))
    assert log.log._started == set()


def test_still_open(log: Log) -> None:
    """A run is open until it has ended."""
    finished_run(log.journal, returned(1))
    run = make_run("slow")
    log.journal.add_run(run)
    assert still_open(log.journal.runs) == [run]


def test_answered(log: Log) -> None:
    """A request whose run says it all has no entry of its own."""
    exchange = Exchange(1, 0.0, frame_type="run_task", status=200)
    log.log.exchange_closed(exchange)
    assert log.events == []


@pytest.mark.parametrize(
    "words",
    [{"status": 503}, {"faults": ["slow-response"]}, {"error": "the reply was not taken"}],
    ids=lambda words: "".join(words),
)
def test_answered_otherwise(log: Log, words: dict[str, Any]) -> None:
    """An answer that is not what the run says is an entry."""
    entry = log.close(**{"frame_type": "run_task", "status": 200, **words})
    assert entry["event"] == "answered"


def test_refused(log: Log) -> None:
    """A refused request says why, and what would mend it."""
    entry = log.close(refusal="unknown key 'b'", code="unknown-key", status=401)
    assert (entry["event"], entry["reason"], entry["hint"]) == (
        "refused",
        "unknown key 'b'",
        "give client and worker the same key id",
    )


def test_connection(log: Log) -> None:
    """A connection that never became a request says why, and what would mend it."""
    entry = log.close(kind="connection", error="TLS handshake: X", code="certificate-rejected")
    assert (entry["event"], entry["reason"], "trust" in entry["hint"]) == (
        "no-request",
        "TLS handshake: X",
        True,
    )


def test_service_failed(log: Log) -> None:
    """A failure of the service is told apart from those of a client."""
    entry = log.close(kind="connection", internal_error=True, error="KeyError: 1")
    assert entry["event"] == "worker-failed"


def test_cancel(log: Log) -> None:
    """A request to cancel is an entry, with what was answered."""
    entry = log.close(frame_type="cancel_task", status=200, events=["task_cancelled"])
    assert (entry["event"], entry["events"]) == ("cancel", ["task_cancelled"])


def test_in_force(log: Log) -> None:
    """What is in force is named by the call that makes it."""
    log.log.in_force({1: "inject('status')"})
    assert log.entries == [{"time": NOW, "event": "in-force", "call": "inject('status')"}]


def test_still_in_force(log: Log) -> None:
    """What stays in force is named once."""
    for _ in range(2):
        log.log.in_force({1: "inject('status')"})
    assert log.events == ["in-force"]


def test_two_alike(log: Log) -> None:
    """Two injections of one fault are two."""
    log.log.in_force({1: "inject('status')", 2: "inject('status')"})
    assert log.events == ["in-force", "in-force"]


def test_removed(log: Log) -> None:
    """What is in force no more is named."""
    log.log.in_force({1: "inject('status')"})
    log.log.in_force({})
    assert log.entries[1:] == [{"time": NOW, "event": "removed", "call": "inject('status')"}]


def test_reloaded(log: Log) -> None:
    """Files that are imported again are named."""
    log.log.reloaded({"app.py": "new"})
    assert log.entries == [{"time": NOW, "event": "reloaded", "files": ["app.py"]}]


def test_reloaded_in_two_processes(log: Log) -> None:
    """A change that a second process finds is logged once; the next change is logged again."""
    for content in ("1", "1", "2", "1"):
        log.log.reloaded({"app.py": content})
    assert log.events == ["reloaded"] * 3


def test_stopping(log: Log) -> None:
    """The end names the runs that have not ended."""
    log.log.stopping([make_run("render", run_id="r")])
    assert log.entries[0]["runs"] == [{"run_id": "r", "task_id": "render"}]


def test_long_id_says_that_it_is_cut(log: Log) -> None:
    """Of an id that is too long the beginning is logged, and that there is more."""
    run = make_run("t" * 1000)
    log.start(run)
    name = log.entries[0]["task_id"]
    assert (len(name), name[-2:]) == (200, "t…")


def test_long_call_says_that_it_is_cut(log: Log) -> None:
    """So does a call."""
    log.log.in_force({object(): "c" * 10_000})
    assert log.entries[0]["call"][-2:] == "c…"


def test_many_events_are_counted(log: Log) -> None:
    """Of an answer with many events, the first are logged, and how many more there are."""
    entry = log.close(status=200, frame_type="run_task", events=["progress"] * 23, faults=["x"])
    assert entry["events"][19:] == ["progress", "3 more"]
