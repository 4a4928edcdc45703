"""Running the body of a task in this thread: results, exceptions, context."""

from __future__ import annotations

import asyncio
import gc
import pickle
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.runs.bodies import (
    TIMEOUT,
    ExitsWhenLoaded,
    ExitsWhenPickled,
    TwoArguments,
    add,
    add_later,
    error_of,
    exception_of,
    fail,
    fail_later,
    fail_unprintably,
    fail_with_a_local,
    fail_with_a_local_later,
    locals_of_bodies,
    result_of,
    run,
    set_variable,
    set_variable_later,
    start,
    unpicklable,
    variable,
    waitable,
)
from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runs.body import Body, run_body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, error_outcome
from wove_http_dev.runs.thread_pool import ThreadPool


class TestResults:
    """Bodies that return."""

    @pytest.mark.parametrize("function", [add, add_later, lambda a, b: a + b])
    def test_result(self, function: Callable[[int, int], Any]) -> None:
        """A sync or async body's result is pickled."""
        assert result_of(run(function, a=40, b=2)) == 42

    def test_awaitable(self) -> None:
        """An awaitable that a sync body returns is awaited."""
        assert result_of(run(waitable)) == "awaited"

    @pytest.mark.parametrize(
        "value", [None, True, 7, 0.5, "\u65e5\ud800", b"\xff", [1, {"a": (2,)}], ValueError]
    )
    def test_round_trip(self, value: Any) -> None:
        """A result arrives unchanged, whether pickled or of a plain type."""
        assert result_of(run(dict, value=value)) == {"value": value}

    def test_plain_value(self) -> None:
        """A plain value arrives unchanged."""
        assert result_of(run(str, object=5)) == "5"

    def test_no_error(self) -> None:
        """A result has no error."""
        assert run(add, a=1, b=2).error is None


class TestExceptions:
    """Bodies that raise."""

    @pytest.mark.parametrize("function", [fail, fail_later])
    def test_exception_travels(self, function: Callable[..., Any]) -> None:
        """An exception that survives pickling is in the outcome."""
        assert repr(exception_of(run(function, exception=KeyError("k")))) == "KeyError('k')"

    @pytest.mark.parametrize(
        ("field", "value"),
        [("kind", "KeyError"), ("message", "'k'"), ("retryable", False), ("source", "task")],
    )
    def test_error_fields(self, field: str, value: object) -> None:
        """The error has kind, message and source."""
        assert error_of(run(fail, exception=KeyError("k")))[field] == value

    def test_traceback(self) -> None:
        """The traceback has the line that raised."""
        assert "raise exception" in error_of(run(fail, exception=KeyError("k")))["traceback"]

    @pytest.mark.parametrize(
        "exception",
        [
            TimeoutError("t"),
            asyncio.TimeoutError("t"),
            StopIteration("s"),
            StopAsyncIteration("s"),
            SystemExit(3),
            KeyboardInterrupt("k"),
            GeneratorExit("g"),
            asyncio.CancelledError("c"),
        ],
        ids=repr,
    )
    def test_unsafe_exception_stays(self, exception: BaseException) -> None:
        """An exception that would disturb the client's weave is not in the outcome."""
        assert run(fail, exception=exception).exception_pickle is None

    @pytest.mark.parametrize(
        "exception", [TimeoutError("t"), SystemExit(3), KeyboardInterrupt("k")], ids=repr
    )
    @pytest.mark.parametrize("function", [fail, fail_later])
    def test_unsafe_exception_is_described(
        self, function: Callable[..., Any], exception: BaseException
    ) -> None:
        """An exception that is not sent is described in text, and ends only its task."""
        assert error_of(run(function, exception=exception))["kind"] == type(exception).__name__

    def test_stop_iteration(self) -> None:
        """A StopIteration is described like any other."""
        assert error_of(run(fail, exception=StopIteration("s")))["kind"] == "StopIteration"

    @pytest.mark.parametrize("exception", [TwoArguments(1, "x"), ExitsWhenPickled("x")], ids=repr)
    def test_exception_that_does_not_round_trip_stays(self, exception: Exception) -> None:
        """An exception that does not survive pickling is not in the outcome."""
        assert error_outcome(exception, source="task").exception_pickle is None

    def test_exception_that_does_not_round_trip_is_described(self) -> None:
        """The description is that of the task's error, not of the pickling error."""
        error = dict(error_outcome(TwoArguments(1, "x"), source="task").error or {})
        assert (error["kind"], error["message"]) == ("TwoArguments", "1: x")

    @pytest.mark.parametrize(
        "second", [ValueError("v"), SystemExit(3), KeyboardInterrupt("k")], ids=repr
    )
    def test_unprintable(self, second: BaseException) -> None:
        """An exception whose ``__str__`` raises is described."""
        message = f"<Unprintable whose __str__ raised {type(second).__name__}>"
        assert error_of(run(fail_unprintably, second=second))["message"] == message

    @pytest.mark.parametrize("second", [ValueError("v"), SystemExit(3)], ids=repr)
    def test_unprintable_stays(self, second: BaseException) -> None:
        """An exception that cannot be compared with its copy is not in the outcome."""
        assert run(fail_unprintably, second=second).exception_pickle is None

    @pytest.mark.parametrize("function", [fail_with_a_local, fail_with_a_local_later])
    def test_variables_are_let_go(self, threads: ThreadPool, function: Callable[..., Any]) -> None:
        """The variables of a body that failed are freed when it has ended, without a garbage
        collection."""
        locals_of_bodies.clear()
        gc.disable()
        try:
            execution = start(threads, function)
            assert execution.wait_for_end(TIMEOUT)
        finally:
            gc.enable()
        assert [reference() for reference in locals_of_bodies] == [None]

    def test_nothing_is_imported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The error of a task needs no import, which fails where no descriptor is left."""
        run(fail, exception=ValueError("first"))  # what makes tracebacks is imported once
        for name in ("asyncio", "asyncio.exceptions"):
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr(sys, "meta_path", [])
        assert error_of(run(fail, exception=ValueError("second")))["message"] == "second"

    def test_cancelled_error_of_its_own(self) -> None:
        """A body that raises CancelledError without having been cancelled has failed."""
        assert error_of(run(fail_later, exception=asyncio.CancelledError()))["source"] == "task"


_NOTHING = dumps({})
_CALLABLE = "the callable could not be loaded on the worker: "
BROKEN = {
    "unpicklable result": (
        dumps(unpicklable),
        _NOTHING,
        "the task's result, a lock, cannot be pickled",
    ),
    "no module": (b"cno_such_module\nf\n.", _NOTHING, _CALLABLE + "ModuleNotFoundError"),
    "no name": (b"cjson\nno_such_name\n.", _NOTHING, _CALLABLE + "AttributeError"),
    "no pickle": (b"junk", _NOTHING, _CALLABLE + "UnpicklingError"),
    "empty": (b"", _NOTHING, _CALLABLE + "EOFError"),
    "exits when loaded": (dumps(ExitsWhenLoaded()), _NOTHING, _CALLABLE + "SystemExit: loaded"),
    "bad arguments": (
        dumps(add),
        b"junk",
        "the arguments could not be loaded on the worker: UnpicklingError",
    ),
    "list of arguments": (
        dumps(add),
        dumps([1]),
        "args_pickle must hold a dict of names, not list",
    ),
    "names of arguments": (
        dumps(add),
        dumps({1: 2}),
        "args_pickle must hold a dict of names, not dict",
    ),
    "not callable": (dumps(5), _NOTHING, "callable_pickle holds a int, not a callable"),
}


class TestWorkerErrors:
    """Bodies that cannot be run, or whose result cannot be pickled."""

    @pytest.mark.parametrize(("function", "arguments", "message"), BROKEN.values(), ids=BROKEN)
    def test_message(self, function: bytes, arguments: bytes, message: str) -> None:
        """The message says what could not be done."""
        outcome = run_body(Execution("body"), Body(function, arguments))
        assert error_of(outcome)["message"].startswith(message)

    @pytest.mark.parametrize(("function", "arguments", "_"), BROKEN.values(), ids=BROKEN)
    def test_source(self, function: bytes, arguments: bytes, _: str) -> None:
        """The error's source is the worker, not the task."""
        outcome = run_body(Execution("body"), Body(function, arguments))
        assert error_of(outcome)["source"] == "worker"

    @pytest.mark.parametrize(("function", "arguments", "_"), BROKEN.values(), ids=BROKEN)
    def test_exception_stays(self, function: bytes, arguments: bytes, _: str) -> None:
        """The exception itself is not in the outcome, because the message says more."""
        outcome = run_body(Execution("body"), Body(function, arguments))
        assert outcome.exception_pickle is None

    def test_import_is_explained(self) -> None:
        """The message explains a module that is missing here."""
        outcome = run_body(Execution("b"), Body(b"cno_such_module\nf\n.", dumps({})))
        assert "so the worker must import it" in error_of(outcome)["message"]

    def test_missing_argument(self) -> None:
        """The error of a call with the wrong arguments has the task as its source."""
        assert error_of(run(add, a=1))["source"] == "task"


class TestContext:
    """Context variables in a body."""

    @pytest.mark.parametrize("function", [set_variable, set_variable_later])
    def test_nothing_comes_in(self, function: Callable[[], Any]) -> None:
        """A body does not see the context variables of its caller."""
        token = variable.set("the test's")
        try:
            assert result_of(run(function)) == "unset"
        finally:
            variable.reset(token)

    @pytest.mark.parametrize("function", [set_variable, set_variable_later])
    def test_nothing_goes_out(self, function: Callable[[], Any]) -> None:
        """A context variable that a body sets is not visible to the next body on the same
        thread."""
        run(function)
        assert result_of(run(function)) == "unset"


def test_plain_results_need_no_cloudpickle() -> None:
    """A result of a plain type is written by ``pickle`` alone."""
    payload = run(add, a=1, b=2).result_pickle
    assert payload == pickle.dumps(3, protocol=pickle.DEFAULT_PROTOCOL)


def test_repr_has_no_payload() -> None:
    """The repr of an outcome does not show the result, so that it reaches no log."""
    assert "secret" not in repr(run(str, object="secret"))


def test_a_body_that_was_cancelled_before_is_not_called() -> None:
    """A cancel that comes while the pickles are loaded ends the run before its body."""
    execution = Execution("run")
    execution.cancel_requested = True
    body = Body(dumps(fail), dumps({"exception": ValueError("called")}))
    assert run_body(execution, body) is CANCELLED


def test_a_body_that_was_cancelled_before_is_not_counted() -> None:
    """What is cancelled while its pickles are loaded was not executed."""
    execution, uncounted = Execution("run"), list[str]()
    execution.cancel_requested = True
    execution.uncount = lambda: uncounted.append("once")
    run_body(execution, Body(dumps(fail), dumps({"exception": ValueError("called")})))
    assert uncounted == ["once"]
