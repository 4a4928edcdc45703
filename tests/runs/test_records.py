"""The records of the journal: exchanges, runs, and the log of runs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.run_records import FAILED, SECRET, finished_run, make_run, returned
from tests.support import TIMEOUT, MakeWorker, answer, weave_one
from wove_http_dev import HttpWorker
from wove_http_dev.errors import UsageError
from wove_http_dev.protocol.authenticator import Verdict
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.outcome import CANCELLED, Outcome, error_outcome
from wove_http_dev.runs.records import LINE_LIMIT, Exchange, Run, RunLog, header_lines

LONG = "A" * 100_000
HOSTILE = "x\n#9 \x1b[2J\u202e\ud800"


class TestLine:
    """The line that describes an exchange."""

    @pytest.mark.parametrize(
        ("changes", "line"),
        [
            ({}, "#1 request -> no answer"),
            ({"kind": "connection", "error": "no hello"}, "#1 connection -> no answer no hello"),
            ({"method": "GET", "target": "/x", "status": 405}, "#1 GET /x -> 405"),
            (
                {"frame_type": "run_task", "task_id": "t", "run_id": "w:0123456789", "status": 200},
                "#1 run_task t 01234567 -> 200",
            ),
            ({"task_id": "x", "initial_value": True}, "#1 request x (initial value) -> no answer"),
            (
                {"status": 200, "events": ["task_started", "task_result"]},
                "#1 request -> 200 task_started+task_result",
            ),
            (
                {"status": 401, "refusal": "key: no", "error": "key: no"},
                "#1 request -> 401 refused: key: no",
            ),
            (
                {"status": 401, "verdict": Verdict(False, hint="try this")},
                "#1 request -> 401 (try this)",
            ),
            ({"faults": ["hang", "status"]}, "#1 request -> no answer [fault: hang, status]"),
            ({"duration": 0.0125}, "#1 request -> no answer 12.5 ms"),
        ],
    )
    def test_line(self, changes: dict[str, Any], line: str) -> None:
        """The line has each known fact once."""
        assert Exchange(1, 0.0, **changes).line() == line

    @pytest.mark.parametrize(
        "changes",
        [
            {"task_id": HOSTILE},
            {"run_id": HOSTILE},
            {"frame_type": HOSTILE},
            {"method": HOSTILE},
            {"target": HOSTILE},
            {"events": [HOSTILE]},
            {"refusal": HOSTILE},
            {"error": HOSTILE},
            {"faults": [HOSTILE]},
            {"verdict": Verdict(False, hint=HOSTILE)},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    def test_line_is_printable(self, changes: dict[str, Any]) -> None:
        """Whatever a client sends, the line is one line without control characters."""
        assert Exchange(1, 0.0, **changes).line().isprintable()

    @pytest.mark.parametrize("text", [LONG, "\U000e0001" * 100_000], ids=["plain", "escaped"])
    def test_line_is_short(self, text: str) -> None:
        """The line is limited, also where its characters are escaped."""
        assert len(Exchange(1, 0.0, refusal=text, error=f"{text}!").line()) == LINE_LIMIT


class TestRun:
    """A run and its payloads, which are unpickled on each access."""

    def test_repr_is_printable(self) -> None:
        """The name of a task cannot put control characters into a log."""
        assert repr(make_run(task_id=HOSTILE)).isprintable()

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            (
                {
                    "frame_type": "run_task",
                    "task_id": "t",
                    "run_id": "workers:12345678",
                    "status": 200,
                },
                "<Exchange #1 run_task t 12345678 -> 200>",
            ),
            (
                {"method": "GET", "target": "/x", "status": 404, "code": "wrong-path"},
                "<Exchange #1 GET /x -> 404 wrong-path>",
            ),
            (
                {"kind": "connection", "code": "handshake-failed", "faults": ["reset"]},
                "<Exchange #1 connection -> no answer handshake-failed [fault: reset]>",
            ),
        ],
    )
    def test_repr_of_an_exchange(self, changes: dict[str, Any], text: str) -> None:
        """The repr says what arrived, what was answered, and why."""
        exchange = Exchange(1, 0.0, head="X: not shown")
        for name, value in changes.items():
            setattr(exchange, name, value)
        assert repr(exchange) == text

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("Host", "localhost:1"), ("Accept", "a: b, c")],
            [("X-Empty", ""), ("X-Space", " "), ("X-Latin", "\x85\xa0")],
            [("X", "1"), ("X", "2")],
        ],
    )
    def test_headers_of_an_exchange(self, headers: list[tuple[str, str]]) -> None:
        """Names and values of the headers are as they were recorded, in order."""
        assert Exchange(1, 0.0, head=header_lines(headers)).headers == headers

    def test_delivery(self) -> None:
        """The executor's delivery settings are kept."""
        assert run_with_delivery({"delivery_timeout": 15.0}).delivery == {"delivery_timeout": 15.0}

    @pytest.mark.parametrize("value", [LONG, [[]] * 100_000], ids=["text", "lists"])
    def test_large_delivery(self, value: object) -> None:
        """Delivery settings that are too large are left out."""
        assert run_with_delivery({"x": value}).delivery == {"left out": "more than 65536 bytes"}

    def test_args(self) -> None:
        """The arguments are decoded."""
        assert make_run(args={"x": [1]}).args == {"x": [1]}

    def test_result(self, journal: Journal) -> None:
        """The result is decoded."""
        assert finished_run(journal, returned({"a": 1})).result == {"a": 1}

    def test_result_is_a_fresh_copy(self, journal: Journal) -> None:
        """A change to the result does not change the next access."""
        run = finished_run(journal, returned([1]))
        run.result.append(2)
        assert run.result == [1]

    @pytest.mark.parametrize("outcome", [FAILED, CANCELLED], ids=["failed", "cancelled"])
    def test_no_result(self, journal: Journal, outcome: Outcome) -> None:
        """``result`` of a run that did not return raises an error that names the run's end."""
        run = finished_run(journal, outcome)
        with pytest.raises(UsageError, match=f"it is {run.state}"):
            run.result  # noqa: B018

    def test_no_result_yet(self) -> None:
        """``result`` of a run that has not ended raises."""
        with pytest.raises(UsageError, match="it is received"):
            make_run().result  # noqa: B018

    def test_no_result_of_ready_events(self, journal: Journal) -> None:
        """``result`` of a run that a stub's events answered raises an error that does not mention
        the journal's limit."""
        with pytest.raises(UsageError, match="event frames"):
            finished_run(journal, Outcome("result")).result  # noqa: B018

    def test_error(self, journal: Journal) -> None:
        """``error`` is the exception of the task."""
        assert repr(finished_run(journal, FAILED).error) == "ValueError('no')"

    def test_error_that_did_not_travel(self, journal: Journal) -> None:
        """An exception that was not sent is replaced by the error that Wove would raise."""
        run = finished_run(journal, error_outcome(TimeoutError("late"), source="task"))
        assert type(run.error).__name__ == "EnvironmentExecutionError"

    @pytest.mark.parametrize("outcome", [returned(1), CANCELLED], ids=["returned", "cancelled"])
    def test_no_error(self, journal: Journal, outcome: Outcome) -> None:
        """``error`` of a run that did not fail is None."""
        assert finished_run(journal, outcome).error is None

    def test_duration_while_the_clock_is_set_back(self) -> None:
        """No body ran for less than no time."""
        run = make_run()
        run.started, run.finished = 100.0, 50.0
        assert run.duration == 0.0

    def test_duration(self, journal: Journal) -> None:
        """The duration is from the start of the body to its outcome."""
        assert finished_run(journal, CANCELLED).duration == 1.0

    def test_no_duration(self) -> None:
        """A run that has not started has no duration."""
        assert make_run().duration is None

    def test_error_without_a_message(self, journal: Journal) -> None:
        """Of an exception without a message the text is its kind alone."""
        run = finished_run(journal, error_outcome(ValueError(), source="task"))
        assert run.error_text == "ValueError"

    def test_error_place(self, journal: Journal) -> None:
        """A failed run says where in the user's code it failed."""
        outcome = Outcome("error", error={}, place="app.py:12 in convert")
        assert finished_run(journal, outcome).error_place == "app.py:12 in convert"

    def test_no_error_place(self, journal: Journal) -> None:
        """A run that did not fail has no place."""
        assert finished_run(journal, returned(1)).error_place is None

    def test_result_text(self, journal: Journal) -> None:
        """A run has the text of its result, if there is one."""
        assert finished_run(journal, Outcome("result", b"", result_text="1")).result_text == "1"

    def test_held_by(self, journal: Journal) -> None:
        """A run is held by nothing once it is no longer held."""
        run = make_run()
        run._held_by = ("hold()",)
        journal.change(run, "held")
        held = run.held_by
        journal.change(run, "running")
        assert (held, run.held_by) == (("hold()",), ())

    def test_repr(self) -> None:
        """The repr has task, run and state, and no payload."""
        run = make_run("t", run_id="workers:0123456789", args={"x": SECRET})
        assert repr(run) == "<Run t 01234567 received>"


def run_with_delivery(delivery: dict[str, Any]) -> Run:
    """A run that was sent with ``delivery``."""
    return Run("run", "task", delivery=delivery, initial_value=False, args_pickle=b"", received=0.0)


class TestRunLog:
    """Runs in order of arrival."""

    runs = RunLog([make_run("render_a"), make_run("render_b"), make_run("load")])

    def test_length(self) -> None:
        """``len()`` counts the runs."""
        assert len(self.runs) == 3

    def test_index(self) -> None:
        """A number is a position."""
        assert self.runs[-1].task_id == "load"

    def test_slice(self) -> None:
        """A slice is a log."""
        assert [run.task_id for run in self.runs[1:]["*"]] == ["render_b", "load"]

    @pytest.mark.parametrize(
        ("pattern", "count"), [("load", 1), ("render_*", 2), ("Load", 0), ("render", 0), ("*", 3)]
    )
    def test_name(self, pattern: str, count: int) -> None:
        """A text selects runs by a task's name or glob, case-sensitively."""
        assert len(self.runs[pattern]) == count

    def test_last(self) -> None:
        """``last`` is the newest run."""
        assert self.runs.last.task_id == "load"

    def test_first(self) -> None:
        """``first`` is the oldest run."""
        assert self.runs["render_*"].first.task_id == "render_a"

    def test_no_first(self) -> None:
        """``first`` of an empty log raises."""
        with pytest.raises(LookupError, match="no run has arrived"):
            RunLog([]).first  # noqa: B018

    def test_no_last(self) -> None:
        """``last`` of an empty log raises."""
        with pytest.raises(LookupError, match="no run has arrived"):
            RunLog([]).last  # noqa: B018

    def test_no_last_of_a_task(self) -> None:
        """Of a task, it says that no run at all has arrived."""
        with pytest.raises(LookupError, match=r"^no run of 'a'; no run has arrived$"):
            RunLog([])["a"].last  # noqa: B018

    @pytest.mark.parametrize(
        ("runs", "message"),
        [
            (RunLog([]), "no run 0 in this list: no run has arrived"),
            (RunLog([])["a"], "no run 0 in this list: no run of 'a'; no run has arrived"),
            (runs["rendr"], "no run of 'rendr'; tasks seen: render_a, render_b, load"),
        ],
    )
    def test_no_run_at_an_index(self, runs: RunLog, message: str) -> None:
        """An index of a list without runs says which tasks were seen."""
        with pytest.raises(IndexError) as caught:
            runs[0]
        assert message in str(caught.value)

    def test_index_beyond_the_last(self) -> None:
        """An index that is too large says how many runs there are."""
        with pytest.raises(IndexError, match=r"^no run 3 in this list: it has 3$"):
            self.runs[3]

    def test_function_as_index(self) -> None:
        """A task's function is no index; its name is suggested."""
        with pytest.raises(UsageError, match=r"did you mean 'make_run'\?$"):
            self.runs[make_run]  # type: ignore[call-overload]

    def test_many_tasks(self) -> None:
        """The error about a task without runs names a bounded number of others."""
        runs = RunLog([make_run(f"t{number}") for number in range(100)])
        with pytest.raises(LookupError, match="and 80 more") as caught:
            runs["a"].last  # noqa: B018
        assert len(str(caught.value)) < 500

    @pytest.mark.parametrize(
        ("runs", "text"),
        [(RunLog([]), "<runs: none>"), (runs[:1], "<runs: <Run render_a run-1 received>>")],
    )
    def test_repr(self, runs: RunLog, text: str) -> None:
        """The repr lists the runs."""
        assert repr(runs) == text

    def test_repr_of_many(self) -> None:
        """The repr of a long log lists the first runs and the number of the others."""
        text = repr(RunLog([make_run()] * 10_000))
        assert text.endswith("received>, and 9900 more>")
        assert len(text) < 10_000

    def test_initial_values_are_left_out(self, journal: Journal) -> None:
        """Wove's own initial values are not in ``journal.runs``."""
        journal.add_run(make_run("data", initial_value=True))
        journal.add_run(make_run("task"))
        assert [run.task_id for run in journal.runs] == ["task"]

    def test_initial_values_are_in_all_runs(self, journal: Journal) -> None:
        """Wove's own initial values are in ``journal.all_runs``."""
        journal.add_run(make_run("data", initial_value=True))
        assert journal.all_runs.last.task_id == "data"


# Through a worker


def test_line_with_a_long_task_name(wove_http_worker: HttpWorker) -> None:
    """The line about an exchange clips a long task name."""
    wove_http_worker.stub("*", result=1)
    exchange = wove_http_worker.journal.open()
    exchange.task_id = LONG
    assert len(exchange.line()) < 500


def test_last_of_a_task_that_did_not_run(wove_http_worker: HttpWorker) -> None:
    """The error names the task that has no run, the tasks that there are, and the nearest."""
    weave_one(answer)
    text = r"^no run of 'anwser'; tasks seen: answer; did you mean 'answer'\?$"
    with pytest.raises(LookupError, match=text):
        _ = wove_http_worker.runs["anwser"].last


def test_place_of_a_task(wove_http_worker: HttpWorker) -> None:
    """A failed run says which line of the task failed."""

    def convert() -> float:
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        weave_one(convert)
    line = convert.__code__.co_firstlineno + 1
    place = wove_http_worker.runs.last.error_place
    assert place == f"{os.path.relpath(__file__)}:{line} in convert"


def wait_closed(worker: HttpWorker) -> Run:
    """The worker's last run, once its exchange has ended: the client has its reply before."""

    def ended() -> bool:
        # Not worker.exchanges: the lock that is held here is needed by what it would wait for.
        exchanges = worker.journal.exchanges
        return bool(exchanges) and exchanges[-1].duration is not None

    worker.journal.wait(ended, TIMEOUT, "the end")
    return worker.runs.last


@pytest.mark.parametrize("isolated", [False, True])
def test_answered(make_worker: MakeWorker, isolated: bool) -> None:
    """A run says when its reply was written."""
    worker = make_worker(isolated=isolated)
    with worker.configured():
        weave_one()
    run = wait_closed(worker)
    assert run.finished is not None
    assert run.answered is not None
    assert run.finished <= run.answered


@pytest.mark.parametrize("fault", ["lost-response", "reset-before-response"])
@pytest.mark.parametrize("isolated", [False, True])
def test_not_answered(make_worker: MakeWorker, isolated: bool, fault: str) -> None:
    """A run whose reply a fault kept was not answered."""
    worker = make_worker(isolated=isolated, faults=[fault])
    with worker.configured(), pytest.raises(Exception, match=r"closed|reset"):
        weave_one()
    assert wait_closed(worker).answered is None


@pytest.mark.parametrize("isolated", [False, True])
def test_exchange_of_a_run(make_worker: MakeWorker, isolated: bool) -> None:
    """A run has the number of the exchange that delivered it."""
    worker = make_worker(isolated=isolated)
    with worker.configured():
        weave_one()
    assert worker.runs.last.exchange_number == worker.exchanges[-1].number


@pytest.mark.parametrize("isolated", [False, True])
def test_held_by_a_gate(make_worker: MakeWorker, isolated: bool, pool: ThreadPoolExecutor) -> None:
    """A held run has the call of ``hold()`` that holds it."""
    worker = make_worker(isolated=isolated)
    with worker.configured(), worker.hold("task") as gate:
        result = pool.submit(weave_one)
        gate.wait_arrived(timeout=TIMEOUT)
        assert worker.wait_for("task", "held").last.held_by == ("hold('task')",)
        gate.release()
        result.result()
