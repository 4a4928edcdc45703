"""Running task bodies: outcomes, cancellation and threads."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import pickle
import select
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from tests.forked import fork
from tests.run_records import returned
from wove_http_dev.protocol.frames import dumps, loads
from wove_http_dev.runs.outcome import CANCELLED, Outcome, error_outcome
from wove_http_dev.runs.runner import Execution, Runner, run_body

TIMEOUT = 10.0
THREADS = "test-runner"

# Bodies are pickled by reference, so what they share with their test is global here.
begun = threading.Event()
release = threading.Event()
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    begun.clear()
    release.clear()
    yield
    release.set()


@pytest.fixture
def runner() -> Iterator[Runner]:
    """A runner, stopped at the end."""
    runner = Runner(THREADS)
    yield runner
    release.set()
    runner.stop(TIMEOUT)


class TwoArguments(Exception):
    """An exception that does not survive pickling: its ``__init__`` takes more arguments than
    ``args`` has."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}: {text}")


class Unprintable(Exception):
    """An exception that raises another one when it is printed."""

    def __str__(self) -> str:
        raise self.args[0]


class ExitsWhenPickled(Exception):
    """An object that raises SystemExit when it is pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        raise SystemExit("pickled")


class ExitsWhenLoaded:
    """An object that raises SystemExit when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.exit, ("loaded",)


class Waitable:
    """An awaitable that is not a coroutine."""

    def __await__(self) -> Generator[Any, None, str]:
        yield from asyncio.sleep(0).__await__()
        return "awaited"


def add(a: int, b: int) -> int:
    return a + b


async def add_later(a: int, b: int) -> int:
    await asyncio.sleep(0)
    return a + b


def waitable() -> Waitable:
    return Waitable()


def fail(exception: BaseException) -> None:
    raise exception


async def fail_later(exception: BaseException) -> None:
    await asyncio.sleep(0)
    raise exception


def fail_unprintably(second: BaseException) -> None:
    raise Unprintable(second)


def set_variable() -> str:
    before = variable.get()
    variable.set("left behind")
    return before


async def set_variable_later() -> str:
    return set_variable()


def unpicklable() -> Any:
    return threading.Lock()


def name_of_thread() -> str:
    return threading.current_thread().name


def blocked() -> str:
    begun.set()
    release.wait(TIMEOUT)
    return "late"


async def waits_for_ever() -> None:
    begun.set()
    await asyncio.Event().wait()


class Local:
    """An object that a body has in a local variable."""


locals_of_bodies: list[weakref.ref[Local]] = []


def fail_with_a_local() -> None:
    local = Local()
    locals_of_bodies.append(weakref.ref(local))
    raise ValueError("no")


async def fail_with_a_local_later() -> None:
    await asyncio.sleep(0)
    fail_with_a_local()


async def refuses_to_stop() -> str:
    begun.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "anyway"
    return "never"


def run(function: Any, **args: Any) -> Outcome:
    """Run ``function(**args)`` on this thread; return its outcome."""
    return run_body(Execution("body"), dumps(function), dumps(args))


def error_of(outcome: Outcome) -> dict[str, Any]:
    """The error of a failed outcome."""
    assert outcome.kind == "error"
    assert outcome.error is not None
    return dict(outcome.error)


def result_of(outcome: Outcome | None) -> Any:
    """The result of an outcome."""
    assert outcome is not None
    assert outcome.result_pickle is not None, outcome
    return loads(outcome.result_pickle)


def exception_of(outcome: Outcome) -> BaseException:
    """The exception that a failed outcome carries."""
    assert outcome.exception_pickle is not None, outcome
    exception: BaseException = loads(outcome.exception_pickle)
    return exception


def start(runner: Runner, function: Callable[..., Any], name: str = "body") -> Execution:
    """Start ``function`` on a thread of ``runner``."""
    execution = Execution(name)

    def body() -> Outcome:
        if not execution.begin():
            return CANCELLED
        return run_body(execution, dumps(function), dumps({}))

    runner.start(execution, body)
    return execution


def started(runner: Runner, function: Callable[..., Any]) -> Execution:
    """Start ``function`` on a thread of ``runner`` and wait until its body has begun."""
    execution = start(runner, function)
    assert begun.wait(TIMEOUT)
    return execution


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
    def test_variables_are_let_go(self, runner: Runner, function: Callable[..., Any]) -> None:
        """The variables of a body that failed are freed when it has ended, without a garbage
        collection."""
        locals_of_bodies.clear()
        gc.disable()
        try:
            execution = start(runner, function)
            assert execution.ended.wait(TIMEOUT)
        finally:
            gc.enable()
        assert [reference() for reference in locals_of_bodies] == [None]

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
        outcome = run_body(Execution("body"), function, arguments)
        assert error_of(outcome)["message"].startswith(message)

    @pytest.mark.parametrize(("function", "arguments", "_"), BROKEN.values(), ids=BROKEN)
    def test_source(self, function: bytes, arguments: bytes, _: str) -> None:
        """The error's source is the worker, not the task."""
        outcome = run_body(Execution("body"), function, arguments)
        assert error_of(outcome)["source"] == "worker"

    @pytest.mark.parametrize(("function", "arguments", "_"), BROKEN.values(), ids=BROKEN)
    def test_exception_stays(self, function: bytes, arguments: bytes, _: str) -> None:
        """The exception itself is not in the outcome, because the message says more."""
        outcome = run_body(Execution("body"), function, arguments)
        assert outcome.exception_pickle is None

    def test_import_is_explained(self) -> None:
        """The message explains a module that is missing here."""
        outcome = run_body(Execution("b"), b"cno_such_module\nf\n.", dumps({}))
        assert "must be able to import it too" in error_of(outcome)["message"]

    def test_missing_argument(self) -> None:
        """The error of a call with the wrong arguments has the task as its source."""
        assert error_of(run(add, a=1))["source"] == "task"


class TestCancel:
    """Bodies that are cancelled."""

    @pytest.mark.parametrize("wait_for_end", [True, False])
    @pytest.mark.parametrize("function", [waits_for_ever, refuses_to_stop])
    def test_async_body_ends(
        self, runner: Runner, function: Callable[..., Any], wait_for_end: bool
    ) -> None:
        """An async body ends after a cancel."""
        execution = started(runner, function)
        execution.cancel(wait_for_end=wait_for_end)
        assert execution.ended.wait(TIMEOUT)

    @pytest.mark.parametrize("function", [waits_for_ever, refuses_to_stop])
    def test_async_body_is_cancelled(self, runner: Runner, function: Callable[..., Any]) -> None:
        """The outcome of a cancelled async body is a cancellation, even if it returns a value."""
        execution = started(runner, function)
        execution.cancel(wait_for_end=True)
        assert execution.wait(TIMEOUT) == CANCELLED

    def test_sync_body_is_settled_at_once(self, runner: Runner) -> None:
        """A cancelled sync body whose end is not waited for has its outcome at once."""
        execution = started(runner, blocked)
        execution.cancel(wait_for_end=False)
        assert execution.outcome == CANCELLED

    def test_sync_body_is_abandoned(self, runner: Runner) -> None:
        """A sync body that still runs is marked as abandoned."""
        execution = started(runner, blocked)
        execution.cancel(wait_for_end=False)
        assert execution.abandoned

    def test_late_result_goes_nowhere(self, runner: Runner) -> None:
        """The late result of an abandoned body is ignored."""
        execution = started(runner, blocked)
        execution.cancel(wait_for_end=False)
        release.set()
        execution.ended.wait(TIMEOUT)
        assert execution.outcome == CANCELLED

    def test_sync_body_is_waited_for(self, runner: Runner) -> None:
        """A sync body whose end is waited for has no outcome while it runs."""
        execution = started(runner, blocked)
        execution.cancel(wait_for_end=True)
        assert execution.outcome is None

    def test_sync_body_waited_for_is_cancelled(self, runner: Runner) -> None:
        """A sync body whose end was waited for is cancelled, even if it returned a value."""
        execution = started(runner, blocked)
        execution.cancel(wait_for_end=True)
        release.set()
        assert execution.wait(TIMEOUT) == CANCELLED

    def test_waited_for_is_not_abandoned(self, runner: Runner) -> None:
        """A body whose end was waited for is not marked as abandoned."""
        execution = started(runner, blocked)
        execution.cancel(wait_for_end=True)
        release.set()
        execution.ended.wait(TIMEOUT)
        assert not execution.abandoned

    @pytest.mark.parametrize("wait_for_end", [True, False])
    def test_body_not_begun_never_starts(self, runner: Runner, wait_for_end: bool) -> None:
        """A body that was cancelled before it began does not begin."""
        execution = Execution("body")
        execution.cancel(wait_for_end=wait_for_end)
        assert not execution.begin()

    @pytest.mark.parametrize("wait_for_end", [True, False])
    def test_body_not_begun_is_over(self, wait_for_end: bool) -> None:
        """The end of a body that never began is not waited for."""
        execution = Execution("body")
        execution.cancel(wait_for_end=wait_for_end)
        assert execution.ended.is_set()

    def test_body_not_begun_is_not_abandoned(self) -> None:
        """A body that never began is not marked as abandoned."""
        execution = Execution("body")
        execution.cancel(wait_for_end=False)
        assert not execution.abandoned

    def test_given_outcome(self, runner: Runner) -> None:
        """A cancel may set another outcome, as a crash does."""
        execution = started(runner, blocked)
        crashed = Outcome("error", error={"kind": "Crash"})
        execution.cancel(wait_for_end=False, outcome=crashed)
        assert execution.outcome == crashed

    def test_after_the_end(self, runner: Runner) -> None:
        """A cancel after the end changes nothing."""
        execution = start(runner, name_of_thread)
        execution.ended.wait(TIMEOUT)
        execution.cancel(wait_for_end=False)
        assert not execution.cancel_requested

    def test_twice(self, runner: Runner) -> None:
        """A second cancel that does not wait abandons a body for which the first one waits."""
        execution = started(runner, blocked)
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


class TestThreads:
    """The runner's threads."""

    def test_runs_elsewhere(self, runner: Runner) -> None:
        """A body runs on a thread of the runner."""
        name = result_of(start(runner, name_of_thread).wait(TIMEOUT))
        assert name.startswith(THREADS)

    def test_reused(self, runner: Runner) -> None:
        """Bodies that run one after the other share threads."""
        names = set()
        for _ in range(100):
            execution = start(runner, name_of_thread)
            execution.ended.wait(TIMEOUT)
            names.add(result_of(execution.outcome))
        assert len(names) < 100

    def test_as_many_as_needed(self, runner: Runner) -> None:
        """Bodies that wait for each other each have a thread."""
        together = threading.Barrier(40)

        def body() -> Outcome:
            together.wait(TIMEOUT)
            return Outcome("result")

        executions = [Execution(str(number)) for number in range(40)]
        for execution in executions:
            runner.start(execution, body)
        outcomes = [execution.wait(TIMEOUT) for execution in executions]
        assert outcomes == [Outcome("result")] * 40

    def test_gone_after_stop(self) -> None:
        """After ``stop()`` the runner has no thread."""
        runner = Runner("stopped-runner")
        start(runner, name_of_thread).ended.wait(TIMEOUT)
        runner.stop(TIMEOUT)
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name.startswith("stopped-runner")]

    def test_stop_names_stuck_bodies(self, runner: Runner) -> None:
        """``stop()`` names the bodies that do not end."""
        start(runner, blocked, "the stuck one")
        assert begun.wait(TIMEOUT)
        assert runner.stop(0.0) == ["the stuck one"]

    def test_stop_names_no_body(self, runner: Runner) -> None:
        """``stop()`` returns no names if all bodies have ended."""
        started(runner, waits_for_ever)
        assert runner.stop(TIMEOUT) == []

    def test_stop_settles(self, runner: Runner) -> None:
        """``stop()`` cancels running bodies."""
        execution = started(runner, blocked)
        runner.stop(0.0)
        assert execution.outcome == CANCELLED

    def test_abandoned_body_is_listed(self, runner: Runner) -> None:
        """An abandoned body is listed until it ends."""
        execution = started(runner, blocked)
        execution.cancel(wait_for_end=False)
        assert runner.executions == [execution]

    def test_works_after_reopening(self, runner: Runner) -> None:
        """After ``stop()`` the runner can be opened again."""
        runner.stop(TIMEOUT)
        runner.reopen()
        assert start(runner, name_of_thread).wait(TIMEOUT)

    @pytest.mark.parametrize("exception", [ValueError("ours"), SystemExit("ours")], ids=repr)
    def test_failure_outside_the_body(self, runner: Runner, exception: BaseException) -> None:
        """A failure outside the body becomes an outcome and does not end the thread."""

        def body() -> Outcome:
            raise exception

        execution = Execution("body")
        runner.start(execution, body)
        outcome = execution.wait(TIMEOUT)
        assert outcome is not None
        assert error_of(outcome)["source"] == "worker"


def test_plain_results_need_no_cloudpickle() -> None:
    """A result of a plain type is written by ``pickle`` alone."""
    payload = run(add, a=1, b=2).result_pickle
    assert payload == pickle.dumps(3, protocol=pickle.DEFAULT_PROTOCOL)


def test_repr_has_no_payload() -> None:
    """The repr of an outcome does not show the result, so that it reaches no log."""
    assert "secret" not in repr(run(str, object="secret"))


@pytest.mark.parametrize("raises", [False, True])
def test_body_that_forks_and_ends(runner: Runner, raises: bool) -> None:
    """The child that a body forks ends when the body ends in it, and is no second worker."""
    reader, writer = os.pipe()

    def forks() -> Outcome:
        pid = fork()
        os.close(writer if pid else reader)
        if raises and not pid:
            raise ValueError("no")
        return returned(pid)

    with open(reader, "rb") as ends:
        execution = Execution("forks")
        runner.start(execution, forks)
        outcome = execution.wait(TIMEOUT)
        assert outcome is not None
        assert outcome.result_pickle is not None
        pid = loads(outcome.result_pickle)
        ended, _, _ = select.select([ends], [], [], TIMEOUT)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
