"""The runner that runs bodies on the workers of a Dask cluster."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from wove import weave

from tests.runners import bodies
from tests.runners.bodies import TIMEOUT
from tests.runners.dask_processes import Cluster, cluster
from tests.support import cancel_frame, lasting, run_frame, signed_request, weave_one
from wove_http_dev.errors import UsageError
from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runners.dask import ATTEMPTS, DaskRunner, SchedulerLink
from wove_http_dev.runners.dask_clients import GivenClient, SchedulerAddress
from wove_http_dev.runners.dask_once import UNKNOWN
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import Outcome
from wove_http_dev.worker import HttpWorker

distributed = pytest.importorskip("distributed", reason="Dask is not installed: tox -e dask")

pytestmark = [
    pytest.mark.filterwarnings("default"),  # Dask's own, in other threads too
    pytest.mark.xdist_group("dask"),
]


clients: list[threading.Thread] = []
"""The clients that the test has started."""


@pytest.fixture(scope="module")
def local() -> Iterator[HttpWorker]:
    """A worker with a local cluster of two processes, shared by the tests of this module."""
    with HttpWorker(
        runner="dask", workers=2, tls=False, security="none", timeout=TIMEOUT, inspected=True
    ) as worker:
        yield worker


@pytest.fixture
def worker(local: HttpWorker) -> HttpWorker:
    """The same worker, with an empty journal."""
    local.reset()
    return local


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Path]:
    """A directory for ``bodies.wait_for_file``, which ends at the latest with the test."""
    yield tmp_path
    (tmp_path / "release").touch()
    while clients:
        clients.pop().join(TIMEOUT)


def send(worker: HttpWorker, function: Any, run_id: str, **arguments: Any) -> threading.Thread:
    """Send a run in a thread of its own, and return that."""
    frame = run_frame(function, arguments, run_id=run_id, task=run_id)
    thread = threading.Thread(target=signed_request, args=(worker, frame))
    thread.start()
    clients.append(thread)
    return thread


def hold(worker: HttpWorker, directory: Path, name: str) -> threading.Thread:
    """Send a run whose body waits in ``directory``, and wait until the body has begun."""
    thread = send(worker, bodies.wait_for_file, name, directory=str(directory), name=name)
    await_file(directory / f"begun-{name}")
    return thread


def await_file(path: Path) -> None:
    """Wait until ``path`` is there, with a line."""
    end = time.monotonic() + TIMEOUT
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < end, f"no {path.name}"
        time.sleep(0.01)


def link_of(worker: HttpWorker) -> SchedulerLink:
    runner = worker._runner
    assert isinstance(runner, DaskRunner)
    assert runner._link is not None
    return runner._link


def await_tasks(worker: HttpWorker, count: int) -> None:
    """Wait until ``count`` runs wait for their tasks."""
    end = time.monotonic() + TIMEOUT
    while len(link_of(worker)._waiting) < count:
        assert time.monotonic() < end
        time.sleep(0.01)


def error_of(worker: HttpWorker, function: Any, **arguments: Any) -> dict[str, Any]:
    return signed_request(worker, run_frame(function, arguments)).task_error


@pytest.fixture(scope="module")
def ended(local: HttpWorker) -> dict[str, Any]:
    """The error of a task that ended its process."""
    local.reset()
    return error_of(local, bodies.exit_process, status=3)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Threads, processes and directories of a worker that was stopped with a body running."""
    directory = tmp_path_factory.mktemp("stop")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(directory))
        before = set(threading.enumerate())
        worker = HttpWorker(runner="dask", workers=2, tls=False, security="none")
        with worker:
            client = hold(worker, directory, "held")
            pid = int((directory / "begun-held").read_text())
        client.join(TIMEOUT)
        threads = lasting(set(threading.enumerate()) - before)
        directories = [path.name for path in directory.glob("wove-*")]
    return {"pid": pid, "threads": [t.name for t in threads], "directories": directories}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("dask")) as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def remote(theirs: Cluster) -> Iterator[HttpWorker]:
    """A worker whose bodies run there."""
    with HttpWorker(
        runner="dask", dask_scheduler=theirs.address, tls=False, security="none", timeout=20
    ) as worker:
        yield worker


class TestWeave:
    """Weaves on a local cluster."""

    def test_parallel(self, worker: HttpWorker, begun: Path) -> None:
        """The tasks of a mapped weave run at the same time, in both processes."""
        directory = str(begun)

        def meet(item: int) -> int:
            (Path(directory) / f"met-{item}").touch()
            while not (Path(directory) / f"met-{1 - item}").exists():
                time.sleep(0.01)
            return os.getpid()

        with worker.configured(), weave() as w:

            @w.do(range(2), environment="workers")
            def place(item: int) -> int:
                return meet(item)

        assert len(set(w.result.place)) == 2

    def test_many(self, worker: HttpWorker) -> None:
        """Each of many tasks gets its own result, and ran once."""
        with worker.configured(), weave() as w:

            @w.do(range(50), environment="workers")
            def double(item: int) -> int:
                return item * 2

        assert w.result.double == [item * 2 for item in range(50)]
        assert [run.executions for run in worker.runs["double"]] == [1] * 50

    def test_exception(self, worker: HttpWorker) -> None:
        """A task's exception is what it raised."""
        with worker.configured(), pytest.raises(ValueError, match="no"):
            weave_one(bodies.fail)

    def test_exception_needs_no_tblib(self, worker: HttpWorker) -> None:
        """It is no pickle of tblib's, which Dask's workers have and a client need not have."""
        event = signed_request(worker, run_frame(bodies.fail)).events[-1]
        assert b"tblib" not in base64.b64decode(event["exception_pickle"])

    def test_texts(self, worker: HttpWorker) -> None:
        """The journal has arguments and result."""
        signed_request(worker, run_frame(bodies.add, {"a": 1, "b": 2}))
        run = worker.runs.last
        assert (run.args_text, run.result_text) == ("a=1, b=2", "3")

    def test_output(self, worker: HttpWorker, capsys: pytest.CaptureFixture[str]) -> None:
        """What a body prints is written here."""
        signed_request(worker, run_frame(bodies.print_and_log, {"text": "hello"}))
        assert tuple(capsys.readouterr()) == ("hello\n", "hello\n")

    def test_place(self, worker: HttpWorker) -> None:
        """The runner says where bodies run."""
        assert worker._runner.place == "2 processes of a local Dask cluster"

    def test_report(self, worker: HttpWorker, begun: Path) -> None:
        """The report says where a body is that has not ended."""
        hold(worker, begun, "held")
        end = time.monotonic() + TIMEOUT
        while "on the Dask worker tls://127.0.0.1:" not in worker.report():
            assert time.monotonic() < end, worker.report()
            time.sleep(0.01)


class TestLostWorker:
    """Tasks that end the process of their worker."""

    def test_error(self, ended: dict[str, Any]) -> None:
        """It is a retryable error."""
        assert (ended["kind"], ended["retryable"]) == ("DaskWorkerLost", True)

    def test_message(self, ended: dict[str, Any]) -> None:
        """The error says what happened."""
        assert "was lost while it had the task" in ended["message"]

    def test_once(self, worker: HttpWorker, begun: Path) -> None:
        """Its body began once, although Dask would run it again."""
        thread = hold(worker, begun, "killed")
        os.kill(int((begun / "begun-killed").read_text()), 9)
        thread.join(TIMEOUT)
        # The same worker process comes back, and runs what comes.
        assert signed_request(worker, run_frame(bodies.add, {"a": 1, "b": 2})).result == 3
        assert len((begun / "begun-killed").read_text().splitlines()) == 1
        assert worker.runs["killed"].last.executions == 1

    def test_sibling(self, worker: HttpWorker, begun: Path) -> None:
        """The task on the other worker is not lost."""
        thread = hold(worker, begun, "sibling")
        error_of(worker, bodies.exit_process, status=3)
        (begun / "release").touch()
        thread.join(TIMEOUT)
        assert worker.runs["sibling"].last.state == "succeeded"

    def test_not_begun(self, worker: HttpWorker, begun: Path) -> None:
        """A body that has not begun is not lost: it runs on a worker that comes back."""
        held = [hold(worker, begun, name) for name in ("one", "two")]
        waiting = send(worker, bodies.add, "third", a=1, b=2)
        await_tasks(worker, 3)
        for name in ("one", "two"):
            os.kill(int((begun / f"begun-{name}").read_text()), 9)
        for thread in (*held, waiting):
            thread.join(TIMEOUT)
        assert worker.runs["third"].last.state == "succeeded"


class FakeCluster:
    """A source of clients, whose client and executor it is too. ``answer`` gives the results of
    tasks; it or ``refusal`` may raise."""

    place = "a fake"
    directory = ""
    id = "Client-1"
    status = "running"
    scheduler = Mock()

    def __init__(self, answer: Callable[[], object] = lambda: UNKNOWN) -> None:
        self.answer = answer
        self.opened = 0
        self.register_plugin = Mock()
        self.subscribe_topic = self.unsubscribe_topic = Mock()
        self.sync = Mock(return_value=True)

    def open(self) -> tuple[Any, Any]:
        self.opened += 1
        return self, self

    def close(self) -> None:
        return

    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(self.answer())
        except ImportError as exc:
            future.set_exception(exc)
        return future


class TestNotRun:
    """Bodies that never begin are clear errors, and no executions."""

    @pytest.fixture
    def fake(self) -> FakeCluster:
        return FakeCluster()

    @pytest.fixture
    def runner(self, fake: FakeCluster) -> DaskRunner:
        """A runner that has started."""
        runner = DaskRunner(fake)
        runner.start()
        return runner

    def run(self, runner: DaskRunner) -> Outcome:
        """Run a body, and check that it was not counted."""
        execution, counted = Execution("body"), [1]
        execution.uncount = lambda: counted.append(-1)
        outcome = runner.run(execution, Body(dumps(bodies.process), dumps({})))
        assert sum(counted) == 0
        return outcome

    def unavailable(self, runner: DaskRunner) -> str:
        """Run a body, check that it is a retryable error, and return the message."""
        error = self.run(runner).error or {}
        assert (error["kind"], error["retryable"]) == ("DaskUnavailable", True)
        return str(error["message"])

    def test_no_plugin_again(self, fake: FakeCluster, runner: DaskRunner) -> None:
        """A scheduler that loses the plugin each time is given up."""
        assert "restarted again and again" in self.unavailable(runner)
        assert fake.register_plugin.call_count == 1 + ATTEMPTS

    def test_no_connection(self, fake: FakeCluster, runner: DaskRunner) -> None:
        """A scheduler to which there is no connection any more."""
        fake.status = "closed"
        fake.open = Mock(side_effect=UsageError("no Dask scheduler answers"))  # type: ignore[method-assign]
        assert self.unavailable(runner) == "no Dask scheduler answers"

    def test_not_taken(self, fake: FakeCluster, runner: DaskRunner) -> None:
        """A client that takes no task."""
        fake.answer = Mock(side_effect=RuntimeError("the client was closed"))
        assert self.unavailable(runner) == "Dask took no task: the client was closed"

    def test_plugin_not_taken_again(self, fake: FakeCluster, runner: DaskRunner) -> None:
        """A scheduler that was restarted and takes no plugin."""
        fake.register_plugin.side_effect = RuntimeError("other version")
        assert "did not take the plugin" in self.unavailable(runner)

    def test_plugin_not_taken(self, fake: FakeCluster) -> None:
        """At the start that is a clear error."""
        fake.register_plugin.side_effect = RuntimeError("other version")
        with pytest.raises(UsageError, match=r"did not take the plugin .*: other version"):
            DaskRunner(fake).start()

    def test_stopped(self, fake: FakeCluster, runner: DaskRunner) -> None:
        """After the stop no connection is made."""
        runner.stop()
        assert self.unavailable(runner) == "the worker is not running"
        assert fake.opened == 1

    def test_not_installed(self, fake: FakeCluster, runner: DaskRunner) -> None:
        """A Dask worker that cannot import this package."""
        fake.answer = Mock(side_effect=ModuleNotFoundError("no", name="wove_http_dev"))
        error = self.run(runner).error or {}
        assert (error["kind"], error["retryable"]) == ("DaskFailed", False)
        assert error["message"].startswith("the Dask worker cannot import wove_http_dev")

    def test_place(self, fake: FakeCluster, runner: DaskRunner) -> None:
        """While a body waits for a connection, a report says so."""
        execution, found = Execution("body"), []

        def opened() -> tuple[Any, Any]:
            found.append(execution.where)
            return fake, fake

        fake.status = "closed"
        fake.open = opened  # type: ignore[method-assign]
        runner.run(execution, Body(dumps(bodies.process), dumps({})))
        assert found[0] == "waits for the Dask scheduler"


class TestCancel:
    """Cancels of runs on a local cluster."""

    @pytest.fixture
    def full(self, worker: HttpWorker, begun: Path) -> HttpWorker:
        """The worker, both processes of which have a body that waits."""
        hold(worker, begun, "one")
        hold(worker, begun, "two")
        return worker

    @pytest.mark.parametrize("mode", ["require_ack", "best_effort"])
    def test_waiting_body(self, full: HttpWorker, begun: Path, mode: str) -> None:
        """A body that waits for a worker is taken back: it never begins, and is not counted."""
        send(full, bodies.wait_for_file, "third", directory=str(begun), name="third")
        await_tasks(full, 3)
        signed_request(full, cancel_frame("third", mode=mode))
        run = full.wait_for("third", state="cancelled").last
        assert (run.executions, run.abandoned) == (0, False)

    def test_waiting_body_acknowledged(self, full: HttpWorker, begun: Path) -> None:
        """A require_ack cancel of a body that waits for a worker is acknowledged."""
        send(full, bodies.wait_for_file, "third", directory=str(begun), name="third")
        await_tasks(full, 3)
        reply = signed_request(full, cancel_frame("third", mode="require_ack"))
        assert reply.terminal == "task_cancelled"

    def test_require_ack(self, full: HttpWorker) -> None:
        """A body that runs is not ended: a require_ack cancel has no event frames."""
        reply = signed_request(full, cancel_frame("one", mode="require_ack"))
        assert reply.document == {"events": []}

    def test_best_effort(self, full: HttpWorker) -> None:
        """A best_effort cancel ends the run, and leaves its body behind."""
        signed_request(full, cancel_frame("one"))
        run = full.wait_for("one", state="cancelled").last
        assert (run.executions, run.abandoned) == (1, True)

    def test_released(self, full: HttpWorker) -> None:
        """A best_effort cancel releases Dask's task."""
        client = link_of(full).client
        signed_request(full, cancel_frame("one"))
        end = time.monotonic() + TIMEOUT
        while len(client.futures) > 1:
            assert time.monotonic() < end, client.futures
            time.sleep(0.01)


class TestStop:
    """What is left after a stop."""

    def test_process(self, left: dict[str, Any]) -> None:
        """The process of the body has ended."""
        with pytest.raises(ProcessLookupError):
            os.kill(left["pid"], 0)

    def test_threads(self, left: dict[str, Any]) -> None:
        """No thread is left, but the one that Dask keeps for all its clients in a process."""
        assert [name for name in left["threads"] if not name.startswith("Dask-Offload")] == []

    def test_directory(self, left: dict[str, Any]) -> None:
        """The directory of the processes is removed."""
        assert left["directories"] == []

    def test_restart(self, worker: HttpWorker) -> None:
        """A worker that is started again starts its cluster again."""
        worker.restart()
        assert signed_request(worker, run_frame(bodies.add, {"a": 1, "b": 2})).result == 3


class TestScheduler:
    """A scheduler of the user's, in a process of its own."""

    def test_runs(self, remote: HttpWorker, theirs: Cluster) -> None:
        """A body runs on the scheduler's worker."""
        assert signed_request(remote, run_frame(bodies.process)).result not in (None, os.getpid())

    def test_users_client(self, theirs: Cluster) -> None:
        """A body runs on the workers of a client whose executor is the runner."""
        with (
            distributed.Client(theirs.address, set_as_default=False) as client,
            HttpWorker(runner=client.get_executor(), tls=False, security="none") as worker,
        ):
            assert isinstance(worker._runner, DaskRunner)
            assert signed_request(worker, run_frame(bodies.add, {"a": 1, "b": 2})).result == 3

    def test_users_client_stays(self, theirs: Cluster) -> None:
        """The user's client works after the worker has stopped, and its scheduler has no plugin
        left."""
        with distributed.Client(theirs.address, set_as_default=False) as client:
            before = client.run_on_scheduler(_plugins)
            with HttpWorker(runner=client.get_executor(), tls=False, security="none"):
                assert client.run_on_scheduler(_plugins) > before
            assert client.run_on_scheduler(_plugins) == before

    def test_restart_in_mid_run(self, remote: HttpWorker, theirs: Cluster, begun: Path) -> None:
        """A run whose scheduler is killed ends with an error that says so."""
        client = hold(remote, begun, "lost")
        theirs.kill()
        client.join(TIMEOUT)
        theirs.start()
        assert "the Dask scheduler was lost" in str(remote.runs["lost"].last.error)

    def test_run_after_a_restart(self, remote: HttpWorker, theirs: Cluster) -> None:
        """After the scheduler was killed and started again, a run gets its result."""
        signed_request(remote, run_frame(bodies.add, {"a": 1, "b": 2}))
        theirs.kill()
        theirs.start()
        end = time.monotonic() + TIMEOUT
        while True:
            reply = signed_request(remote, run_frame(bodies.add, {"a": 1, "b": 2}))
            if reply.terminal == "task_result":
                break
            assert reply.task_error["kind"] in ("DaskUnavailable", "DaskConnectionLost")
            assert time.monotonic() < end, reply.task_error
        assert reply.result == 3

    def test_client_restart(self, remote: HttpWorker, theirs: Cluster) -> None:
        """A plugin that the scheduler has lost is registered again."""
        with distributed.Client(theirs.address, set_as_default=False) as client:
            client.run_on_scheduler(_forget_plugins)
        assert signed_request(remote, run_frame(bodies.add, {"a": 1, "b": 2})).result == 3

    def test_asynchronous_client(self) -> None:
        """A client of an event loop is refused, with what to give."""
        executor = Mock(_client=Mock(asynchronous=True))
        with pytest.raises(UsageError, match="asynchronous; give one that is not"):
            GivenClient(executor)

    def test_no_scheduler(self) -> None:
        """An address at which no scheduler answers is one clear error."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("wove_http_dev.runners.dask_clients.CONNECT_TIMEOUT", 0.2)
            runner = DaskRunner(SchedulerAddress("tcp://127.0.0.1:1"))
            with pytest.raises(UsageError, match=r"answers at tcp://127\.0\.0\.1:1"):
                runner.start()


def _plugins(dask_scheduler: Any) -> int:
    return sum(name.startswith("wove_http_dev") for name in dask_scheduler.handlers)


def _forget_plugins(dask_scheduler: Any) -> None:
    for name in list(dask_scheduler.handlers):
        if name.startswith("wove_http_dev"):
            del dask_scheduler.handlers[name]
