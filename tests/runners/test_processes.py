"""The processes of a runner: how many, which, and what is left of them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.forked import status_in_a_fork
from tests.runners import processes
from tests.runners.processes import Running, is_alive, run, until
from tests.runs import bodies
from tests.runs.bodies import result_of
from tests.support import (
    MODES,
    MakeWorker,
    answer,
    cancel_frame,
    run_frame,
    signed_request,
    weave_one,
)
from wove_http_dev import CertificateAuthority, HttpWorker
from wove_http_dev.errors import CannotServeError, NotRunningError
from wove_http_dev.platforms import cores
from wove_http_dev.runners.processes import ProcessRunner
from wove_http_dev.runners.task_process import TaskProcess
from wove_http_dev.runs.execution import Execution

Make = Callable[..., ProcessRunner]
Killing = Callable[[int], tuple[ProcessRunner, list[int]]]


@pytest.fixture
def make() -> Iterator[Make]:
    """``make(workers, tasks=…)``: a runner that is started, and stopped at the end."""
    with ExitStack() as stack:

        def make(workers: int, **words: int) -> ProcessRunner:
            runner = ProcessRunner(workers, **words)
            stack.callback(runner.stop)
            runner.start()
            return runner

        yield make


def test_place() -> None:
    """It is said how many processes there are."""
    assert [ProcessRunner(count).place for count in (1, 3)] == ["1 process", "3 processes"]


def test_default() -> None:
    """By default there is one process for each core."""
    assert ProcessRunner().workers == cores() >= 1


class TestQueue:
    """More runs than processes."""

    @pytest.fixture
    def first(self, single: ProcessRunner, tmp_path: Path) -> Iterator[Running]:
        """The body that has the process."""
        running = Running(single, processes.until_removed, tmp_path / "first").begun()
        yield running
        running.file.unlink(missing_ok=True)
        running.outcome()

    def test_waits(self, single: ProcessRunner, first: Running, tmp_path: Path) -> None:
        """The next run waits, says for what, and runs then."""
        second = Running(single, processes.until_removed, tmp_path / "second")
        until(second.execution.stack)
        where, begun = second.execution.stack(), second.file.exists()
        first.file.unlink()
        second.begun().file.unlink()
        assert result_of(second.outcome()) == "removed"
        assert (where, begun) == ("waits for the process, busy with other tasks\n", False)

    @pytest.mark.parametrize("wait_for_end", [True, False])
    def test_cancelled(
        self, single: ProcessRunner, first: Running, tmp_path: Path, wait_for_end: bool
    ) -> None:
        """A run that is cancelled while it waits never begins."""
        second = Running(single, processes.sleeps, tmp_path / "second")
        until(second.execution.stack)
        second.execution.cancel(wait_for_end=wait_for_end)
        assert second.outcome().kind == "cancelled"
        first.file.unlink()
        run(single, bodies.add, a=1, b=2)
        assert not second.file.exists()

    def test_killed_before_it_began(self, single: ProcessRunner, tmp_path: Path) -> None:
        """A body whose process is killed by a cancel before it began is not counted."""
        stopped = result_of(run(single, processes.pid))
        os.kill(stopped, signal.SIGSTOP)
        running = Running(single, processes.sleeps, tmp_path / "file")
        uncounted: list[bool] = []
        running.execution.uncount = lambda: uncounted.append(True)
        until(running.execution.stack)
        running.execution.cancel(wait_for_end=True)
        assert running.outcome().kind == "cancelled"
        assert uncounted == [True]

    def test_order(self, single: ProcessRunner, first: Running, tmp_path: Path) -> None:
        """Runs begin in the order in which they came."""
        waiting = []
        for number in range(3):
            waiting.append(Running(single, processes.until_removed, tmp_path / str(number)))
            until(waiting[-1].execution.stack)
        first.file.unlink()
        for number, each in enumerate(waiting):
            each.begun()
            assert not any(later.file.exists() for later in waiting[number + 1 :])
            each.file.unlink()
            each.outcome()


class TestNewProcesses:
    """Processes in place of others."""

    def test_used_again(self, single: ProcessRunner) -> None:
        """A process runs one body after the other."""
        assert len({result_of(run(single, processes.pid)) for _ in range(3)}) == 1

    def test_recycled(self, make: Make) -> None:
        """After so many bodies, a new process takes its place."""
        runner = make(1, bodies_per_process=2)
        pids = [result_of(run(runner, processes.pid)) for _ in range(4)]
        assert [pids.count(each) for each in dict.fromkeys(pids)] == [2, 2]

    def test_recycle(self, single: ProcessRunner) -> None:
        """``recycle()`` makes the process a new one before the next body."""
        before = result_of(run(single, processes.pid))
        single.recycle()
        assert result_of(run(single, processes.pid)) != before

    def test_recycle_while_it_runs(self, single: ProcessRunner, tmp_path: Path) -> None:
        """A body that runs is not disturbed; the next one gets a new process."""
        running = Running(single, processes.until_removed, tmp_path / "file").begun()
        before = running.pid
        single.recycle()
        running.file.unlink()
        assert result_of(running.outcome()) == "removed"
        assert result_of(run(single, processes.pid)) != before

    def test_idle_process_is_killed(self, single: ProcessRunner) -> None:
        """The end of an idle process costs no task anything."""
        os.kill(result_of(run(single, processes.pid)), signal.SIGKILL)
        assert result_of(run(single, bodies.add, a=1, b=2)) == 3

    @pytest.fixture
    def killing(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> Killing:
        """``killing(count)``: a runner whose next ``count`` processes are killed before they get a
        body; and a list to which the id of each is added then."""

        def killing(count: int) -> tuple[ProcessRunner, list[int]]:
            runner = make(1)
            killed: list[int] = []
            take = runner._take

            def take_and_kill() -> TaskProcess:
                process = take()
                if len(killed) < count:
                    killed.append(process.pid)
                    os.kill(process.pid, signal.SIGKILL)
                    until(lambda: not process.usable)
                return process

            monkeypatch.setattr(runner, "_take", take_and_kill)
            return runner, killed

        return killing

    def test_killed_again_and_again(self, killing: Killing) -> None:
        """Processes that are killed before the body began are replaced until one runs it."""
        runner, killed = killing(5)
        assert result_of(run(runner, bodies.add, a=1, b=2)) == 3
        assert len({*killed}) == 5

    def test_all_are_killed(self, killing: Killing) -> None:
        """If every process is killed before the body began, the body fails after some time."""
        runner, killed = killing(30)
        with pytest.raises(CannotServeError, match="20 processes ended before the task began, 20"):
            run(runner, bodies.add, a=1, b=2)
        assert len(killed) == 20

    def test_end_before_the_body(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        """Processes that end by themselves are tried a few times only."""
        runner = make(1)
        runner.recycle()
        run(runner, processes.exits, status=1)
        monkeypatch.setattr(
            "wove_http_dev.start_child.arguments", lambda *_: ["-c", "raise SystemExit(9)"]
        )
        run(runner, processes.exits, status=1)
        execution, uncounted = Execution("body"), []
        execution.uncount = lambda: uncounted.append(True)
        with pytest.raises(CannotServeError, match="3 processes ended before the task began"):
            processes.run_body(runner, execution, processes.body_of(processes.pid))
        assert uncounted == [True]

    def test_where_while_it_starts(
        self, single: ProcessRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Until a body has a process, it is said that it waits for one; so ``reset()`` finds it."""
        execution, where, take = Execution("body"), [], single._take

        def take_and_look() -> TaskProcess:
            where.append(execution.stack())
            return take()

        monkeypatch.setattr(single, "_take", take_and_look)
        processes.run_body(single, execution, processes.body_of(processes.pid))
        assert where == ["waits for a process to start\n"]

    def test_none_can_be_started(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        """A body for which there is no process fails, is no execution, and a later one runs."""
        runner, execution, uncounted = make(1), Execution("body"), []
        runner.recycle()
        execution.uncount = lambda: uncounted.append(True)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", "/nowhere/python")
            run(runner, processes.exits, status=1)
            with pytest.raises(FileNotFoundError):
                processes.run_body(runner, execution, processes.body_of(processes.pid))
        assert uncounted == [True]
        assert result_of(run(runner, bodies.add, a=1, b=2)) == 3


class TestChanged:
    """A process finds that something has changed, before it begins a body."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        """A file that may change."""
        file = tmp_path / "file"
        file.write_text("1")
        return file

    @pytest.fixture
    def watching(self, file: Path) -> Iterator[ProcessRunner]:
        """A runner with two processes that look at the file; both have run a body."""
        runner = ProcessRunner(2)
        runner.find_changes = processes.DiffersFromBefore(file)
        runner.start()
        begun = [file.with_name(f"running-{number}") for number in range(2)]
        running = [Running(runner, processes.until_removed, each).begun() for each in begun]
        for each in running:
            each.file.unlink()
            each.outcome()
        yield runner
        runner.stop()

    def test_unchanged(self, watching: ProcessRunner) -> None:
        """Without a change the processes stay."""
        before = {each.pid for each in watching._processes}
        assert result_of(run(watching, processes.pid)) in before

    def test_body(self, watching: ProcessRunner, file: Path) -> None:
        """The body runs in a process that was started after the change."""
        before = {each.pid for each in watching._processes}
        file.write_text("2")
        assert result_of(run(watching, processes.pid)) not in before

    def test_all(self, watching: ProcessRunner, file: Path) -> None:
        """The other process is replaced as well."""
        before = {each.pid for each in watching._processes}
        file.write_text("2")
        run(watching, processes.pid)
        until(lambda: len(watching._processes) == 2)
        assert before.isdisjoint(each.pid for each in watching._processes)

    def test_report(self, watching: ProcessRunner, file: Path) -> None:
        """What the process has found is reported."""
        reported: list[dict[str, str]] = []
        watching.on_changes = reported.append
        file.write_text("2")
        run(watching, processes.pid)
        run(watching, processes.pid)
        assert reported == [{str(file): "2"}]

    def test_executed_once(self, watching: ProcessRunner, file: Path) -> None:
        """The body does not begin in the process that has found the change."""
        file.write_text("2")
        marks = file.with_name("marks")

        def mark() -> None:
            with open(marks, "a") as opened:
                opened.write("x")

        run(watching, mark)
        assert marks.read_text() == "x"


class TestStop:
    """What is left."""

    def test_nothing(self) -> None:
        """Neither processes, threads nor descriptors are left."""
        before = (threading.active_count(), sorted(os.listdir("/dev/fd")))
        runner = ProcessRunner(2)
        runner.start()
        pids = [result_of(run(runner, processes.pid)), result_of(run(runner, processes.pid))]
        run(runner, processes.exits, status=1)
        runner.stop()
        assert not any(is_alive(pid) for pid in pids)
        assert (threading.active_count(), sorted(os.listdir("/dev/fd"))) == before

    def test_running_body(self, make: Make, tmp_path: Path) -> None:
        """A body that runs is killed."""
        runner = make(1)
        running = Running(runner, processes.sleeps, tmp_path / "pid").begun()
        running.execution.cancel(wait_for_end=False)
        runner.stop()
        running.outcome()
        assert not is_alive(running.pid)

    def test_exit_handlers(
        self, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Exit handlers of the tasks' modules are called."""
        monkeypatch.setattr("wove_http_dev.runners.processes.END_GRACE", processes.PATIENCE)

        def body(file: str) -> None:
            import atexit
            from pathlib import Path

            atexit.register(Path(file).touch)

        runner = make(1)
        run(runner, body, file=str(tmp_path / "exited"))
        runner.stop()
        assert (tmp_path / "exited").exists()

    def test_thread_of_a_task(self, make: Make) -> None:
        """A thread that a task has left does not keep the process."""

        def body() -> int:
            import threading
            import time

            threading.Thread(target=time.sleep, args=[processes.PATIENCE]).start()
            return os.getpid()

        runner = make(1)
        pid = result_of(run(runner, body))
        runner.stop()
        assert not is_alive(pid)

    def test_twice(self, make: Make) -> None:
        """A runner that was stopped, or was never started, can be stopped."""
        runner = make(1)
        runner.stop()
        runner.stop()
        ProcessRunner(1).stop()

    def test_again(self, make: Make) -> None:
        """A runner that was stopped can be started."""
        runner = make(1)
        runner.stop()
        runner.start()
        assert result_of(run(runner, bodies.add, a=1, b=2)) == 3

    def test_stopped(self, make: Make) -> None:
        """A body that comes after the stop does not run."""
        runner = make(1)
        runner.stop()
        assert run(runner, processes.pid).kind == "cancelled"

    def test_recycle_afterwards(self, make: Make) -> None:
        """A runner that was stopped starts no process."""
        runner = make(1)
        runner.stop()
        runner.recycle()
        with pytest.raises(NotRunningError):
            runner._start()

    def test_does_not_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the processes end at once, the runner says so, and leaves none."""
        monkeypatch.setattr(
            "wove_http_dev.start_child.arguments", lambda *_: ["-c", "raise SystemExit(9)"]
        )
        runner = ProcessRunner(1)
        with pytest.raises(CannotServeError, match="exit status 9"):
            runner.start()
        runner.stop()

    def test_hangs_at_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If a process does not become ready, the runner says so, and leaves none."""
        monkeypatch.setattr("wove_http_dev.runners.task_process.START_LIMIT", 0.2)
        monkeypatch.setattr(
            "wove_http_dev.start_child.arguments", lambda *_: ["-c", "import time; time.sleep(30)"]
        )
        runner = ProcessRunner(1)
        with pytest.raises(CannotServeError, match=r"not ready after 0\.2 seconds"):
            runner.start()
        (process,) = runner._processes
        runner.stop()
        assert not is_alive(process.pid)

    def test_forked(self, single: ProcessRunner) -> None:
        """A forked child of this process does not end the processes."""
        pid = result_of(run(single, processes.pid))

        def stop() -> bool:
            single.stop()
            return True

        assert status_in_a_fork(stop) == 0
        assert result_of(run(single, processes.pid)) == pid


@pytest.fixture(scope="module")
def shared(wove_http_ca: CertificateAuthority) -> Iterator[HttpWorker]:
    """A worker with one process, for several tests."""
    with HttpWorker(ca=wove_http_ca, runner="processes", workers=1) as worker:
        yield worker


class TestWorker:
    """A worker with processes, and Wove's executor."""

    @pytest.fixture
    def worker(self, shared: HttpWorker) -> HttpWorker:
        shared.reset()
        return shared

    def test_result(self, worker: HttpWorker) -> None:
        """A task runs in a process of its own."""
        with worker.configured():
            assert weave_one(os.getpid) != os.getpid()

    def test_executions(self, worker: HttpWorker) -> None:
        """A task is one execution."""
        with worker.configured():
            weave_one(answer)
        assert worker.runs.last.executions == 1

    def test_crash_and_restart(self, make_worker: MakeWorker) -> None:
        """A worker that crashed runs tasks again after ``reset()``."""
        worker = make_worker(runner="processes", workers=1)
        with worker.configured():
            pid = weave_one(os.getpid)
            worker.crash()
            until(lambda: not is_alive(pid))
            worker.reset()
            assert weave_one(answer) == 42

    def test_reset(self, worker: HttpWorker, tmp_path: Path, pool: ThreadPoolExecutor) -> None:
        """``reset()`` kills a body that still runs, so that it does not keep its process."""
        file = tmp_path / "pid"
        left = pool.submit(signed_request, worker, run_frame(processes.sleeps, {"file": str(file)}))
        until(lambda: file.exists() and file.read_text().endswith("\n"))
        worker.reset()
        assert left.result(processes.PATIENCE).terminal == "task_error"
        with worker.configured():
            assert weave_one(answer) == 42

    @pytest.mark.parametrize("mode", MODES)
    def test_cancel(
        self, worker: HttpWorker, tmp_path: Path, pool: ThreadPoolExecutor, mode: str
    ) -> None:
        """A sync body is killed by a cancel, and so never abandoned."""
        file = tmp_path / "pid"
        frame = run_frame(processes.sleeps, {"file": str(file)}, run_id=mode)
        answer = pool.submit(signed_request, worker, frame)
        until(lambda: file.exists() and file.read_text().endswith("\n"))
        signed_request(worker, cancel_frame(mode, mode=mode))
        until(lambda: not is_alive(int(file.read_text())))
        run = answer.result(processes.PATIENCE)
        assert (run.terminal, worker.runs.last.abandoned) == ("task_cancelled", False)

    def test_acknowledged(
        self, worker: HttpWorker, tmp_path: Path, pool: ThreadPoolExecutor
    ) -> None:
        """A ``require_ack`` cancel is acknowledged after the end of the process."""
        file = tmp_path / "pid"
        pool.submit(signed_request, worker, run_frame(processes.sleeps, {"file": str(file)}))
        until(lambda: file.exists() and file.read_text().endswith("\n"))
        acknowledged = signed_request(
            worker, cancel_frame(worker.runs.last.run_id, mode="require_ack")
        )
        ended = not is_alive(int(file.read_text()))
        assert (acknowledged.terminal, ended) == ("task_cancelled", True)

    @pytest.fixture
    def report(
        self, worker: HttpWorker, tmp_path: Path, pool: ThreadPoolExecutor
    ) -> tuple[str, int]:
        """The report of a worker whose process is busy, while another run waits for it; and the
        process id."""
        files = [tmp_path / name for name in ("first", "second")]
        answers = []
        for number, file in enumerate(files):
            frame = run_frame(processes.until_removed, {"file": str(file)}, task=file.name)
            answers.append(pool.submit(signed_request, worker, frame))
            if not number:
                until(lambda: files[0].exists() and files[0].read_text().endswith("\n"))
        until(lambda: "waits for the process" in worker.report())
        report, pid = worker.report(), int(files[0].read_text())
        for file in files:
            until(file.exists)
            file.unlink()
        for each in answers:
            each.result(processes.PATIENCE)
        return report, pid

    def test_place_in_the_report(self, report: tuple[str, int]) -> None:
        """A report says in which process a body runs."""
        text, pid = report
        assert f"is running; its body is here:\n    in process {pid}\n" in text

    def test_waiting_in_the_report(self, report: tuple[str, int]) -> None:
        """A report says which runs wait for a process."""
        text, _ = report
        assert "has not started:\n    waits for the process, busy with other tasks\n" in text

    def test_isolated(self, make_worker: MakeWorker) -> None:
        """An isolated worker has processes, which end with it when it is killed."""
        worker = make_worker(runner="processes", workers=1, isolated=True, strict=False)
        with worker.configured():
            pid = weave_one(os.getpid)
        worker.crash()
        until(lambda: not is_alive(pid))
        assert worker.runs.last.executions == 1
