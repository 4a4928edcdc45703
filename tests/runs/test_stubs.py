"""Stubs, which answer runs without running the task."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudpickle
import pytest
from wove import weave

from tests.run_records import make_run
from tests.support import answer, run_frame, signed_request, weave_one
from wove_http_dev.errors import UsageError
from wove_http_dev.protocol.frames import loads
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.runs.records import Run
from wove_http_dev.runs.stubs import Stubs, make_source
from wove_http_dev.worker import HttpWorker


def outcome_of(run_number: int = 1, **words: Any) -> Outcome:
    """The outcome of the nth run that a stub answers."""
    source = make_source(**words)
    answers = [source(make_run(args={"x": 20})) for _ in range(run_number)]
    return answers[-1].outcome


def result_of(run_number: int = 1, **words: Any) -> Any:
    """The result of the nth run that a stub answers."""
    payload = outcome_of(run_number, **words).result_pickle
    assert payload is not None
    return loads(payload)


def error_of(run_number: int = 1, **words: Any) -> dict[str, Any]:
    """The error of the nth run that a stub answers."""
    return dict(outcome_of(run_number, **words).error or {})


class TestResults:
    """Stubs with ``result=``."""

    @pytest.mark.parametrize("value", [42, None, "text", {"a": [1]}, (1, 2)])
    def test_value(self, value: Any) -> None:
        """A value is the result."""
        assert result_of(result=value) == value

    def test_every_time(self) -> None:
        """A value is the result of every run."""
        assert result_of(3, result=42) == 42

    @pytest.mark.parametrize(("number", "value"), [(1, "a"), (2, "b")])
    def test_list(self, number: int, value: str) -> None:
        """The values of a list are consumed in order."""
        assert result_of(number, result=["a", "b"]) == value

    def test_list_of_lists(self) -> None:
        """A list in a list is a result."""
        assert result_of(result=[[]]) == []

    def test_list_is_used_up(self) -> None:
        """A run beyond the list fails."""
        assert error_of(3, result=["a", "b"])["kind"] == "LookupError"

    def test_used_up_message(self) -> None:
        """The error of a run beyond the list says how long the list was."""
        message = "the stub for 'task' has no result left: it was given 2"
        assert error_of(3, result=["a", "b"])["message"] == message

    def test_used_up_is_the_workers(self) -> None:
        """The error of a run beyond the list has the worker as its source, not the task."""
        assert error_of(3, result=["a", "b"])["source"] == "worker"

    def test_encoded_where_written(self) -> None:
        """A later change to the value does not change the stub."""
        value = [1]
        source = make_source(result={"v": value})
        value.append(2)
        payload = source(make_run()).outcome.result_pickle
        assert payload is not None
        assert loads(payload) == {"v": [1]}

    def test_list_under_threads(self, pool: ThreadPoolExecutor) -> None:
        """Concurrent runs get one value each."""
        source = make_source(result=list(range(100)))
        payloads = [
            answer.outcome.result_pickle or b""
            for answer in pool.map(source, [make_run() for _ in range(100)])
        ]
        assert sorted(map(loads, payloads)) == list(range(100))


class TestCallables:
    """Stubs with a callable as ``result=``."""

    def test_gets_the_run(self) -> None:
        """A callable gets the run, and its return value is the result."""
        assert result_of(result=lambda run: run.args["x"] + 1) == 21

    def test_may_raise(self) -> None:
        """An exception of the callable is the task's exception."""
        assert error_of(result=lambda run: run.args["y"])["kind"] == "KeyError"

    @pytest.mark.parametrize("exception", [SystemExit(3), KeyboardInterrupt()], ids=repr)
    def test_may_raise_anything(self, exception: BaseException) -> None:
        """An exception of the callable, even SystemExit, ends only that run."""

        def call(_: object) -> None:
            raise exception

        assert error_of(result=call)["kind"] == type(exception).__name__

    def test_result_that_cannot_travel(self) -> None:
        """A result that cannot be pickled is an error."""
        assert error_of(result=lambda _: threading.Lock())["kind"] == "TypeError"


class TestErrors:
    """Stubs with ``error=``."""

    def test_exception(self) -> None:
        """The exception arrives at the client."""
        payload = outcome_of(error=KeyError("k")).exception_pickle
        assert payload is not None
        assert repr(loads(payload)) == "KeyError('k')"

    def test_class(self) -> None:
        """An exception class is instantiated."""
        assert error_of(error=KeyError)["kind"] == "KeyError"

    def test_is_the_tasks(self) -> None:
        """The source of a stub's error is the task."""
        assert error_of(error=KeyError)["source"] == "task"

    @pytest.mark.parametrize(("number", "kind"), [(1, "KeyError"), (2, "ValueError")])
    def test_list(self, number: int, kind: str) -> None:
        """The errors of a list are consumed in order."""
        assert error_of(number, error=[KeyError("k"), ValueError])["kind"] == kind


class TestEvents:
    """Stubs with ``events=``."""

    @pytest.mark.parametrize("events", [[], [{"type": "heartbeat"}], ({"type": "a"}, {"b": 1})])
    def test_unchanged(self, events: list[dict[str, Any]]) -> None:
        """The event frames are the answer, unchanged."""
        answer = make_source(events=events)(make_run())
        assert answer.events == tuple(events)

    def test_encoded_where_written(self) -> None:
        """A change to a frame after the call does not change the stub."""
        event = {"type": "heartbeat"}
        source = make_source(events=[event])
        event["type"] = "changed"
        assert source(make_run()).events == ({"type": "heartbeat"},)

    def test_others_have_none(self) -> None:
        """A stub with a result has no event frames."""
        assert make_source(result=1)(make_run()).events is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "exactly one"),
        ({"result": 1, "error": KeyError()}, "exactly one"),
        ({"result": None, "events": []}, "exactly one"),
        ({"result": []}, r"result=\[\] would answer nothing"),
        ({"error": []}, r"error=\[\] would answer nothing"),
        ({"error": "no"}, "takes an exception, not str"),
        ({"error": int}, "takes an exception, not type"),
        ({"error": [KeyError(), "no"]}, "takes an exception, not str"),
        ({"events": {"type": "a"}}, "list of event frames"),
        ({"events": ["a"]}, "list of event frames"),
        ({"events": ""}, "list of event frames"),
        ({"events": None}, "list of event frames"),
        ({"events": [{"type": object()}]}, "must fit JSON"),
        ({"events": [{"result_pickle": b"bytes"}]}, "must fit JSON"),
        ({"result": threading.Lock()}, "stub result=, a lock, cannot be pickled, as an answer"),
        ({"result": [1, threading.Lock()]}, "stub result=, a lock, cannot be pickled"),
    ],
)
def test_usage_errors(words: dict[str, Any], message: str) -> None:
    """Invalid keywords are a usage error that says why."""
    with pytest.raises(UsageError, match=message):
        make_source(**words)


class TestStubs:
    """Which stub answers a run."""

    @pytest.mark.parametrize("pattern", ["task", "t*", "*"])
    def test_found(self, pattern: str) -> None:
        """A stub answers tasks by name or glob."""
        stubs, source = Stubs(), make_source(result=1)
        stubs.add(pattern, source)
        assert stubs.find(make_run("task")) is source

    def test_not_found(self) -> None:
        """A task without a stub is not answered."""
        stubs = Stubs()
        stubs.add("other", make_source(result=1))
        assert stubs.find(make_run("task")) is None

    def test_initial_value(self) -> None:
        """Wove's own initial values are not answered."""
        stubs = Stubs()
        stubs.add("*", make_source(result=1))
        assert stubs.find(make_run("data", initial_value=True)) is None

    def test_newest(self) -> None:
        """Of two matching stubs the newer one answers."""
        stubs, newer = Stubs(), make_source(result=2)
        stubs.add("task", make_source(result=1))
        stubs.add("*", newer)
        assert stubs.find(make_run("task")) is newer

    def test_removed(self) -> None:
        """After the newer stub is removed the older one answers."""
        stubs, older = Stubs(), make_source(result=1)
        stubs.add("task", older)
        stubs.add("task", make_source(result=2)).remove()
        assert stubs.find(make_run("task")) is older

    def test_removed_twice(self) -> None:
        """Removing a stub twice does not remove another."""
        stubs, older = Stubs(), make_source(result=1)
        stubs.add("task", older)
        newer = stubs.add("task", make_source(result=2))
        newer.remove()
        newer.remove()
        assert stubs.find(make_run("task")) is older

    def test_same_stub_twice(self) -> None:
        """A stub added twice and removed once still answers."""
        stubs, source = Stubs(), make_source(result=1)
        stubs.add("task", source)
        stubs.add("task", source).remove()
        assert stubs.find(make_run("task")) is source

    def test_clear(self) -> None:
        """``clear()`` removes every stub."""
        stubs = Stubs()
        stubs.add("task", make_source(result=1))
        stubs.clear()
        assert stubs.find(make_run("task")) is None

    def test_tasks(self) -> None:
        """``tasks`` has the patterns of the stubs."""
        stubs = Stubs()
        stubs.add("a", make_source(result=1))
        stubs.add("b*", make_source(result=1))
        assert stubs.tasks == ["a", "b*"]

    def test_on_change(self) -> None:
        """``on_change`` is called for a new stub."""
        stubs, changed = Stubs(), threading.Event()
        stubs.on_change = changed.set
        stubs.add("a", make_source(result=1))
        assert changed.is_set()


def test_a_coroutine_function_is_refused() -> None:
    """A coroutine function is a usage error, because it would not be awaited."""

    async def later(run: Any) -> int:
        return 1

    with pytest.raises(UsageError, match="called, not awaited"):
        make_source(result=later)


# Through a worker


def never_runs() -> Any:
    raise AssertionError("the stub answers instead")


def test_stub_result(wove_http_worker: HttpWorker) -> None:
    """A stubbed task has the stub's value as its result, and its body does not run."""
    wove_http_worker.stub("never_runs", result={"total": 12})
    assert weave_one(never_runs) == {"total": 12}


def test_stub_results_in_order(wove_http_worker: HttpWorker) -> None:
    """A list of results is used up, one per run."""
    wove_http_worker.stub("never_runs", result=["first", "second"])
    assert [weave_one(never_runs) for _ in range(2)] == ["first", "second"]


def test_stub_results_used_up(wove_http_worker: HttpWorker) -> None:
    """The run after the last result fails, and the message says why."""
    wove_http_worker.stub("never_runs", result=["only"])
    weave_one(never_runs)
    with pytest.raises(LookupError, match="has no result left: it was given 1"):
        weave_one(never_runs)


def test_stub_list_as_a_result(wove_http_worker: HttpWorker) -> None:
    """A list in the list is one result."""
    wove_http_worker.stub("never_runs", result=[[1, 2]])
    assert weave_one(never_runs) == [1, 2]


def test_stub_callable(wove_http_worker: HttpWorker) -> None:
    """A callable gets the run, arguments included."""
    wove_http_worker.stub("render_report", result=lambda run: f"stubbed {run.args['account']}")
    with weave(account=7) as w:

        @w.do(environment="workers")
        def render_report(account: int) -> str:
            return never_runs()  # type: ignore[no-any-return]  # it does not return

    assert w.result.render_report == "stubbed 7"


def test_stub_callable_that_raises(wove_http_worker: HttpWorker) -> None:
    """An exception of the callable is the task's exception."""

    def fails(run: Run) -> None:
        raise KeyError(run.task_id)

    wove_http_worker.stub("never_runs", result=fails)
    with pytest.raises(KeyError, match="never_runs"):
        weave_one(never_runs)


def test_stub_error(wove_http_worker: HttpWorker) -> None:
    """A stubbed error is raised where the result is read."""
    wove_http_worker.stub("never_runs", error=KeyError("no such account"))
    with pytest.raises(KeyError, match="no such account"):
        weave_one(never_runs)


def test_stub_events(worker: HttpWorker) -> None:
    """Stubbed event frames are sent unchanged, except that missing ids are filled in."""
    worker.stub("job", events=[{"type": "heartbeat"}, {"type": "task_result", "run_id": "other"}])
    answered = signed_request(worker, run_frame(never_runs, task="job", run_id="r-1"))
    assert answered.events == [
        {"type": "heartbeat", "run_id": "r-1", "task_id": "job"},
        {"type": "task_result", "run_id": "other", "task_id": "job"},
    ]


def test_stub_events_reach_the_executor(wove_http_worker: HttpWorker) -> None:
    """Wove's executor takes a plain JSON result from stubbed event frames."""
    wove_http_worker.stub("never_runs", events=[{"type": "task_result", "result": [1, 2]}])
    assert weave_one(never_runs) == [1, 2]


def test_stub_glob(wove_http_worker: HttpWorker) -> None:
    """A task is a name or a glob."""
    wove_http_worker.stub("never_*", result=1)
    assert weave_one(never_runs) == 1


def test_newest_stub_wins(wove_http_worker: HttpWorker) -> None:
    """Of two stubs for a task the newer one answers."""
    wove_http_worker.stub("never_runs", result="old")
    wove_http_worker.stub("never_runs", result="new")
    assert weave_one(never_runs) == "new"


def test_stub_ends_with_its_context(wove_http_worker: HttpWorker) -> None:
    """After its ``with`` block the task runs again."""
    with wove_http_worker.stub("answer", result=0, unused_ok=True):
        pass
    assert weave_one(answer) == 42


def test_stub_leaves_other_tasks_alone(wove_http_worker: HttpWorker) -> None:
    """Tasks that the stub does not name run."""
    wove_http_worker.stub("never_runs", result=0, unused_ok=True)
    assert weave_one(answer) == 42


def test_stubbed_run_is_in_the_journal(wove_http_worker: HttpWorker) -> None:
    """The journal has the stubbed run with its result."""
    wove_http_worker.stub("never_runs", result=7)
    weave_one(never_runs)
    assert wove_http_worker.runs.last.result == 7


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"result": 1, "error": KeyError()},
        {"result": []},
        {"error": "text"},
        {"events": {"type": "task_result"}},
        {"events": ["task_result"]},
        {"events": [{"result": object()}]},
    ],
    ids=["nothing", "two", "empty", "error-text", "one-event", "no-dicts", "no-json"],
)
def test_invalid_stub_is_a_usage_error(worker: HttpWorker, words: dict[str, Any]) -> None:
    """``stub()`` raises at once for invalid keywords."""
    with pytest.raises(UsageError):
        worker.stub("job", **words)


class TestStub:
    """The object that ``stub()`` returns."""

    def test_block(self) -> None:
        """The stub is removed at the end of its ``with`` block."""
        stubs = Stubs()
        with stubs.add("task", make_source(result=1)):
            inside = stubs.find(make_run("task"))
        assert (inside is None, stubs.find(make_run("task"))) == (False, None)

    def test_block_that_raises(self) -> None:
        """The stub is removed even if its ``with`` block raises."""
        stubs = Stubs()
        with contextlib.suppress(ValueError), stubs.add("task", make_source(result=1)):
            raise ValueError
        assert stubs.tasks == []

    def test_repr(self) -> None:
        """A stub's repr names its task."""
        assert repr(Stubs().add("render_*", make_source(result=1))) == "<Stub 'render_*'>"

    def test_cannot_travel(self) -> None:
        """A stub cannot be sent to a worker with a task."""
        with pytest.raises(TypeError, match="cannot be sent"):
            cloudpickle.dumps(Stubs().add("task", make_source(result=1)))


def test_forgotten_stub() -> None:
    """A stub that was forgotten answers nothing, and is not among those that were made."""
    stubs = Stubs()
    stubs.forget(stubs.add("task", make_source(result=1)))
    assert (stubs.find(make_run()), stubs.made, stubs.active) == (None, [], [])


def test_unused_ok_that_is_no_bool() -> None:
    """``unused_ok`` takes true or false: a text would count as true."""
    no: Any = "no"
    with pytest.raises(UsageError, match="unused_ok takes true or false, not 'no'"):
        Stubs().add("task", make_source(result=1), unused_ok=no)
