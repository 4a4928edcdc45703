"""The runner that runs bodies on an executor of the user's."""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest
from wove import weave

from tests.run_records import SECRET, make_run
from tests.runners import bodies
from tests.runners.bodies import TIMEOUT
from tests.support import MakeWorker, cancel_frame, run_frame, signed_request
from wove_http_dev.errors import UsageError
from wove_http_dev.options import Options
from wove_http_dev.protocol.frames import dumps, loads
from wove_http_dev.runners.executor import BodyCall, ExecutorRunner
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.display import RunDisplay
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.outcome import CANCELLED, Outcome
from wove_http_dev.worker import HttpWorker


class Inline(Executor):
    """Does in ``submit()`` whatever the test wants."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(self.answer(fn))
        return future


class Failing(Executor):
    """Returns futures that end with an exception."""

    def __init__(self, exc: BaseException) -> None:
        self.exc = exc

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(self.exc)
        return future


def run(executor: Executor, function: Any, **arguments: Any) -> Outcome:
    """Run ``function`` on ``executor`` and return the outcome."""
    body = Body(dumps(function), dumps(arguments))
    return ExecutorRunner(executor).run(Execution("body"), body)


def error(outcome: Outcome) -> dict[str, Any]:
    assert outcome.error is not None
    return dict(outcome.error)


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    """One process, spawned, which has imported this package."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert run(pool, bodies.add, a=1, b=1).kind == "result"
        yield pool


@pytest.fixture
def one_thread() -> Iterator[ThreadPoolExecutor]:
    """An executor with one thread; a body that waits in it is released at the end."""
    bodies.begun.clear()
    bodies.release.clear()
    with ThreadPoolExecutor(1) as pool:
        yield pool
        bodies.release.set()


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The errors of a task that ended its process, of one that ran beside it, and of a later one;
    and last, why a new runner refuses the executor."""
    directory = tmp_path_factory.mktemp("broken")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool, ThreadPoolExecutor() as client:
        runner = ExecutorRunner(pool)
        beside = client.submit(run, pool, bodies.wait_for_file, directory=str(directory))
        while not (directory / "begun-body").exists():
            assert not beside.done(), beside.result()
            time.sleep(0.01)
        # The pool watches a process that it has just started only once something else happens.
        run(pool, bodies.process)
        ended = run(pool, bodies.exit_process, status=3)
        late = runner.run(Execution("body"), Body(dumps(bodies.process), dumps({})))
        with pytest.raises(UsageError) as refused:
            ExecutorRunner(pool)
        outcomes = [ended, beside.result(TIMEOUT), late]
    return [*map(error, outcomes), {"message": str(refused.value)}]


class TestPlaces:
    """Executors of each kind run a body."""

    def test_thread(self, one_thread: ThreadPoolExecutor) -> None:
        """A body runs in a thread of a ThreadPoolExecutor."""
        name = one_thread.submit(threading.current_thread).result().name
        outcome = run(one_thread, lambda: threading.current_thread().name)
        assert loads(outcome.result_pickle or b"") == name

    def test_process(self, processes: ProcessPoolExecutor) -> None:
        """A body runs in a process of a ProcessPoolExecutor."""
        there = processes.submit(bodies.process).result()
        assert loads(run(processes, bodies.process).result_pickle or b"") == there

    def test_function_by_value(self, processes: ProcessPoolExecutor) -> None:
        """A function that only this process has runs in a process of a ProcessPoolExecutor."""
        assert loads(run(processes, lambda: 42).result_pickle or b"") == 42

    @pytest.mark.parametrize("method", ["forkserver", "fork"])
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_start_method(self, method: str) -> None:
        """The processes may be started in each way that there is."""
        context = multiprocessing.get_context(method)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            there = pool.submit(bodies.process).result()  # forked here, not in a thread
            assert loads(run(pool, bodies.process).result_pickle or b"") == there

    @pytest.mark.skipif(importlib.util.find_spec("loky") is None, reason="loky is not installed")
    def test_loky(self) -> None:
        """A body runs in a process of loky's executor."""
        pool = importlib.import_module("loky").ProcessPoolExecutor(1)
        try:
            assert loads(run(pool, bodies.add, a=1, b=2).result_pickle or b"") == 3
        finally:
            pool.shutdown(kill_workers=True)

    def test_subclass(self) -> None:
        """An executor that runs what it gets at once, in the thread that calls, can be used."""
        outcome = run(Inline(lambda function: function()), bodies.add, a=1, b=2)
        assert loads(outcome.result_pickle or b"") == 3

    def test_place(self, one_thread: ThreadPoolExecutor) -> None:
        """The runner names the executor."""
        assert ExecutorRunner(one_thread).place == "the executor ThreadPoolExecutor"


class TestTexts:
    """What is shown of a run whose body ran in another process."""

    def test_exception(self, processes: ProcessPoolExecutor) -> None:
        """The exception of a body is the one that it raised."""
        outcome = run(processes, bodies.fail)
        assert isinstance(loads(outcome.exception_pickle or b""), ValueError)

    def test_place(self, processes: ProcessPoolExecutor) -> None:
        """The outcome of a body that failed says where."""
        assert "bodies.py" in (run(processes, bodies.fail).place or "")

    def test_output(
        self, processes: ProcessPoolExecutor, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What a body prints in another process is written here, to the same streams."""
        run(processes, bodies.print_and_log, text="hello")
        assert tuple(capsys.readouterr()) == ("hello\n", "hello\n")

    def test_arguments(self, processes: ProcessPoolExecutor, journal: Journal) -> None:
        """The text of the arguments is kept with the run, without secrets."""
        record = make_run()
        body = Body(
            dumps(bodies.print_and_log),
            dumps({"text": SECRET}),
            display=RunDisplay(record, journal),
        )
        ExecutorRunner(processes).run(Execution("body"), body)
        assert record.args_text == "text='[redacted]'"


class TestFailures:
    """An executor that does not do its work is one clear error."""

    def test_shut_down(self) -> None:
        """An executor that was shut down after the worker was made takes no task."""
        pool = ThreadPoolExecutor(1)
        runner = ExecutorRunner(pool)
        pool.shutdown()
        outcome = runner.run(Execution("body"), Body(dumps(bodies.process), dumps({})))
        assert (
            "the executor took no task: RuntimeError: cannot schedule" in error(outcome)["message"]
        )

    def test_not_taken_is_not_counted(self) -> None:
        """A body that an executor did not take is not counted as an execution."""
        pool = ThreadPoolExecutor(1)
        runner, execution, uncounted = ExecutorRunner(pool), Execution("body"), []
        pool.shutdown()
        execution.uncount = lambda: uncounted.append(1)
        runner.run(execution, Body(dumps(bodies.process), dumps({})))
        assert uncounted == [1]

    def test_shut_down_with_cancelled_futures(self, one_thread: ThreadPoolExecutor) -> None:
        """A task that a shutdown cancels while it waits is a retryable error."""
        one_thread.submit(bodies.hold_here)
        assert bodies.begun.wait(TIMEOUT)
        with ThreadPoolExecutor(1) as client:
            waiting = client.submit(run, one_thread, bodies.process)
            while not one_thread._work_queue.qsize():
                time.sleep(0.01)
            one_thread.shutdown(wait=False, cancel_futures=True)
            outcome = waiting.result(TIMEOUT)
        found = error(outcome)
        assert (found["kind"], found["retryable"]) == ("ExecutorCancelled", True)

    def test_initializer(self) -> None:
        """An executor of threads whose initializer fails says so."""

        def fail() -> None:
            raise ValueError("no licence")

        with ThreadPoolExecutor(1, initializer=fail) as pool:
            found = error(run(pool, bodies.process))
        assert found["kind"] == "BrokenExecutor"
        assert "Its initializer has failed, or" in found["message"]

    def test_wrong_answer(self) -> None:
        """An executor that returns something else than the function did is an error."""
        outcome = run(Inline(lambda function: 5), bodies.process)
        assert "the executor answered int" in error(outcome)["message"]

    def test_no_future(self) -> None:
        """An executor whose ``submit()`` returns no future is an error that says so."""

        class Calls(Executor):
            def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
                fn()

        message = error(run(Calls(), bodies.process))["message"]
        assert message.startswith("the executor's submit() returned NoneType; it must return")

    def test_cancel_fails(self) -> None:
        """A future that cannot be cancelled does not disturb the cancel of the run."""

        class NotCancelled(Future[Any]):
            def cancel(self) -> bool:
                raise RuntimeError("no")

        class Gives(Executor):
            def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
                future.set_result(fn())
                return future

        future, execution = NotCancelled(), Execution("body")
        ExecutorRunner(Gives()).run(execution, Body(dumps(bodies.process), dumps({})))
        execution.cancel(wait_for_end=False)
        assert execution.outcome == CANCELLED

    def test_not_imported(self) -> None:
        """A worker of the executor that cannot import this package is an error that says so."""
        exc = ModuleNotFoundError("No module named 'wove_http_dev'", name="wove_http_dev")
        message = error(run(Failing(exc), bodies.process))["message"]
        assert message.startswith("the executor's process cannot import wove_http_dev")

    def test_other_failure(self) -> None:
        """Another failure of an executor is an error with its exception."""
        message = error(run(Failing(OSError("disk full")), bodies.process))["message"]
        assert message == "the executor did not run the task: OSError: disk full"


class TestCheck:
    """An executor that can never run a body is refused at once."""

    def test_shut_down(self) -> None:
        """An executor that was shut down is refused."""
        pool = ThreadPoolExecutor(1)
        pool.shutdown()
        with pytest.raises(UsageError, match="this ThreadPoolExecutor was shut down"):
            HttpWorker(runner=pool)

    def test_shut_down_processes(self) -> None:
        """A ProcessPoolExecutor that was shut down is refused."""
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        pool.shutdown()
        with pytest.raises(UsageError, match="this ProcessPoolExecutor was shut down"):
            HttpWorker(runner=pool)

    def test_class(self) -> None:
        """A class of executors is refused, with how to write it."""
        with pytest.raises(UsageError, match=r"not its class: write ThreadPoolExecutor\(…\)"):
            Options(runner=ThreadPoolExecutor)

    def test_isolated(self, one_thread: ThreadPoolExecutor) -> None:
        """An executor does not go with isolated=True."""
        with pytest.raises(UsageError, match="needs isolated=False"):
            Options(runner=one_thread, isolated=True)


class TestCancel:
    """Cancels of runs whose bodies an executor has."""

    @pytest.fixture
    def held(self, make_worker: MakeWorker, one_thread: ThreadPoolExecutor) -> HttpWorker:
        """A worker whose executor, of one thread, has a run ``held`` whose body waits."""
        worker = make_worker(tls=False, security="none", runner=one_thread)
        threading.Thread(
            target=signed_request, args=(worker, run_frame(bodies.hold_here, run_id="held"))
        ).start()
        assert bodies.begun.wait(TIMEOUT)
        return worker

    @pytest.fixture
    def waiting(self, held: HttpWorker, one_thread: ThreadPoolExecutor) -> HttpWorker:
        """The same worker, with a run ``waiting`` whose body has not begun."""
        frame = run_frame(bodies.process, run_id="waiting", task="waiting")
        threading.Thread(target=signed_request, args=(held, frame)).start()
        held.wait_for("waiting", state="running")
        while not one_thread._work_queue.qsize():
            time.sleep(0.01)
        return held

    def test_waiting_body(self, waiting: HttpWorker) -> None:
        """A body that has not begun never does: a require_ack cancel is acknowledged."""
        reply = signed_request(waiting, cancel_frame("waiting", mode="require_ack"))
        assert reply.terminal == "task_cancelled"

    @pytest.mark.parametrize("mode", ["require_ack", "best_effort"])
    def test_waiting_body_is_not_counted(self, waiting: HttpWorker, mode: str) -> None:
        """A body that never began is not counted as an execution."""
        signed_request(waiting, cancel_frame("waiting", mode=mode))
        assert waiting.wait_for("waiting", state="cancelled").last.executions == 0

    def test_cancel_before_the_executor_has_it(self, make_worker: MakeWorker) -> None:
        """A body whose cancel came before the executor had it is neither counted nor abandoned."""
        given, go = threading.Event(), threading.Event()

        class Slow(Executor):
            def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
                given.set()
                assert go.wait(TIMEOUT)
                return Future()

        worker = make_worker(tls=False, security="none", runner=Slow())
        frame = run_frame(bodies.process, run_id="early")
        threading.Thread(target=signed_request, args=(worker, frame)).start()
        assert given.wait(TIMEOUT)
        signed_request(worker, cancel_frame("early"))
        run = worker.wait_for("task", state="cancelled").last
        go.set()
        end = time.monotonic() + TIMEOUT
        while run.executions:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert not run.abandoned

    def test_running_body(self, held: HttpWorker) -> None:
        """A body that runs is not ended: a require_ack cancel has no event frames."""
        reply = signed_request(held, cancel_frame("held", mode="require_ack"))
        assert reply.document == {"events": []}

    def test_best_effort(self, held: HttpWorker) -> None:
        """A best_effort cancel ends the run while its body still runs."""
        signed_request(held, cancel_frame("held"))
        assert held.wait_for("task", state="cancelled").last.abandoned

    def test_late_result(self, held: HttpWorker, one_thread: ThreadPoolExecutor) -> None:
        """The result of a body whose run was cancelled is dropped."""
        signed_request(held, cancel_frame("held"))
        record = held.wait_for("task", state="cancelled").last
        bodies.release.set()
        one_thread.submit(bodies.process).result(TIMEOUT)
        assert (record.state, record.executions) == ("cancelled", 1)

    def test_async_body(self, make_worker: MakeWorker, one_thread: ThreadPoolExecutor) -> None:
        """An async body in a thread of this process is interrupted."""
        worker = make_worker(tls=False, security="none", runner=one_thread)
        frame = run_frame(bodies.asleep, run_id="asleep")
        threading.Thread(target=signed_request, args=(worker, frame)).start()
        assert bodies.begun.wait(TIMEOUT)
        reply = signed_request(worker, cancel_frame("asleep", mode="require_ack"))
        assert reply.terminal == "task_cancelled"

    def test_stack(self, held: HttpWorker) -> None:
        """The report has the stack of a body in a thread of this process."""
        assert "hold_here" in held.report()


class TestBrokenPool:
    """A task that ends its process takes a ProcessPoolExecutor along."""

    def test_retryable(self, broken: list[dict[str, Any]]) -> None:
        """Each of the lost tasks is a retryable error."""
        assert [(each["kind"], each["retryable"]) for each in broken[:3]] == [
            ("BrokenExecutor", True)
        ] * 3

    def test_message(self, broken: list[dict[str, Any]]) -> None:
        """The task that ended its process and the one beside it say that all were lost."""
        assert all("All tasks that the executor had are lost" in e["message"] for e in broken[:2])

    def test_later_task(self, broken: list[dict[str, Any]]) -> None:
        """A later task says that the executor stays broken."""
        assert "a broken executor stays broken" in broken[2]["message"]

    def test_new_worker(self, broken: list[dict[str, Any]]) -> None:
        """A new worker refuses the executor."""
        assert broken[3]["message"].startswith("runner: this ProcessPoolExecutor was broken")


class TestWeave:
    """Weaves with Wove's executor."""

    def test_result(self, processes: ProcessPoolExecutor) -> None:
        """A mapped weave gets the results of a ProcessPoolExecutor."""
        with HttpWorker(runner=processes, tls=False) as worker, worker.configured():
            with weave() as w:

                @w.do(range(4), environment="workers")
                def double(item: int) -> int:
                    return item * 2

            assert w.result.double == [0, 2, 4, 6]
            worker.assert_ran("double", times=4)

    def test_executor_stays_open(self, one_thread: ThreadPoolExecutor) -> None:
        """A worker that stops does not shut down the executor."""
        with HttpWorker(runner=one_thread, tls=False):
            pass
        assert one_thread.submit(bodies.add, 1, 2).result() == 3


def test_pickled_call() -> None:
    """What an executor pickles has neither the execution nor the secrets of the service."""
    body = Body(dumps(bodies.process), dumps({}))
    assert b"Execution" not in dumps(BodyCall(Execution("body"), body))
