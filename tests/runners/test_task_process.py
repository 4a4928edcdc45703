"""One process of tasks: its outcomes, its end, cancels, what it prints."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.run_records import make_run
from tests.runners import processes
from tests.runners.processes import Running, is_alive, run, until
from tests.runs import bodies
from tests.runs.bodies import error_of, exception_of, result_of
from wove_http_dev import start_child
from wove_http_dev.errors import CannotServeError
from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runners.processes import ProcessRunner
from wove_http_dev.runners.task_process import TaskProcess
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.display import RunDisplay
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.outcome import Outcome


@pytest.fixture(scope="module")
def runner() -> Iterator[ProcessRunner]:
    """A runner with two processes."""
    runner = ProcessRunner(2)
    runner.start()
    yield runner
    runner.stop()


class TestOutcomes:
    """Results and exceptions."""

    @pytest.mark.parametrize("function", [bodies.add, bodies.add_later, lambda a, b: a + b])
    def test_result(self, runner: ProcessRunner, function: Callable[..., Any]) -> None:
        """A sync or async body returns its result."""
        assert result_of(run(runner, function, a=40, b=2)) == 42

    def test_other_process(self, runner: ProcessRunner) -> None:
        """A body runs in another process."""
        assert result_of(run(runner, processes.pid)) != os.getpid()

    @pytest.mark.parametrize("exception", [SystemExit(3), KeyboardInterrupt(), ValueError("no")])
    def test_error(self, runner: ProcessRunner, exception: BaseException) -> None:
        """An exception is the error that it is in a thread."""
        there = run(runner, bodies.fail, exception=exception)
        expected = bodies.run(bodies.fail, exception=exception)
        assert (there.error, there.place) == (expected.error, expected.place)

    def test_exception(self, runner: ProcessRunner) -> None:
        """An exception travels with its traceback."""
        exception = exception_of(run(runner, bodies.fail, exception=ValueError("no")))
        assert repr(exception) == "ValueError('no')"
        assert "raise exception" in str(exception.__cause__)

    @pytest.mark.parametrize(
        "payload", [b"no pickle", dumps(bodies.ExitsWhenLoaded())], ids=["damaged", "exits"]
    )
    def test_not_loadable(self, runner: ProcessRunner, payload: bytes) -> None:
        """A pickle that cannot be loaded is an error of the worker."""
        outcome = runner.run(Execution("body"), Body(payload, dumps({})))
        assert error_of(outcome)["source"] == "worker"

    def test_large(self, runner: ProcessRunner) -> None:
        """More bytes than a socket holds go both ways."""
        data = bytes(5_000_000)
        assert result_of(run(runner, dict, data=data)) == {"data": data}

    def test_imports_like_the_service(
        self, runner: ProcessRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A body imports from where this process imports at that time."""
        (tmp_path / "module_of_a_task.py").write_text("ANSWER = 42\n")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

        def body() -> int:
            import module_of_a_task  # type: ignore[import-not-found]

            return int(module_of_a_task.ANSWER)

        assert result_of(run(runner, body)) == 42


class TestEnds:
    """Bodies that end their process."""

    @pytest.mark.parametrize("status", [0, 3])
    def test_exit(self, runner: ProcessRunner, status: int) -> None:
        """An exit is an error of the task that names the status."""
        assert run(runner, processes.exits, status=status) == lost(
            f"the task ended its process with exit status {status}"
        )

    def test_crash(self, runner: ProcessRunner) -> None:
        """A segmentation fault is an error of the task that names the signal."""
        assert run(runner, processes.crashes) == lost(
            f"the task's process was killed by SIGSEGV ({int(signal.SIGSEGV)})"
        )

    def test_killed(self, runner: ProcessRunner) -> None:
        """A kill from outside can be retried; the error says that memory may be the reason."""
        outcome = run(runner, processes.kills_itself, number=signal.SIGKILL)
        assert outcome == lost(
            "the task's process was killed by SIGKILL (9): the system kills a process so when"
            " memory runs out",
            retryable=True,
        )

    def test_unknown_signal(self, runner: ProcessRunner) -> None:
        """A signal without a name is a number."""
        number = signal.SIGRTMIN + 3 if sys.platform == "linux" else signal.SIGUSR1
        message = error_of(run(runner, processes.kills_itself, number=number))["message"]
        assert f"({int(number)})" in message

    def test_forked(self, runner: ProcessRunner, tmp_path: Path) -> None:
        """The end is noticed although a process that the body forked has all its descriptors; on
        Linux that one ends too."""
        file = tmp_path / "pid"
        outcome = run(runner, processes.forks, file=str(file))
        assert error_of(outcome)["message"].endswith("exit status 7")
        if sys.platform == "linux":
            until(lambda: not is_alive(int(file.read_text())))
        else:
            os.kill(int(file.read_text()), signal.SIGKILL)

    def test_sibling(self, runner: ProcessRunner, tmp_path: Path) -> None:
        """A body in another process goes on."""
        other = Running(runner, processes.until_removed, tmp_path / "file").begun()
        run(runner, processes.exits, status=1)
        other.file.unlink()
        assert result_of(other.outcome()) == "removed"

    def test_next(self, runner: ProcessRunner) -> None:
        """The next body runs."""
        run(runner, processes.exits, status=1)
        assert result_of(run(runner, bodies.add, a=1, b=2)) == 3

    def test_forked_body(self, runner: ProcessRunner) -> None:
        """A process that the body forks, and that returns from it, answers nothing."""

        def body() -> bool:
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
            return bool(pid)

        assert result_of(run(runner, body)) is True

    def test_writes_to_the_connection(self, runner: ProcessRunner) -> None:
        """A body that writes to the connection is an error of its own."""

        def body() -> None:
            import contextlib
            import time

            for descriptor in map(int, os.listdir("/dev/fd")):  # as high as the service's were
                with contextlib.suppress(OSError):
                    if descriptor > 2:
                        os.write(descriptor, b"\xff" * 100)
            time.sleep(30)

        message = error_of(run(runner, body))["message"]
        assert message == "the task's process wrote to its connection with the worker"

    def test_closes_the_connection(self, runner: ProcessRunner) -> None:
        """A body that closes every descriptor ends its process, whatever threads it leaves
        there."""

        def body() -> None:
            threading.Thread(target=threading.Event().wait).start()
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))

        assert run(runner, body) == lost("the task ended its process with exit status 1")

    @pytest.mark.skipif(sys.platform != "linux", reason="macOS does not enforce RLIMIT_AS")
    def test_no_memory_for_the_next(self) -> None:
        """A body for which its process has no memory, because an earlier one has limited it, runs
        in another one."""

        def limits() -> None:
            import resource

            size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
            resource.setrlimit(resource.RLIMIT_AS, (size, size))

        single = ProcessRunner(1)
        single.start()
        try:
            run(single, limits)
            assert result_of(run(single, lambda data: len(data), data=bytes(80_000_000))) == 8e7
        finally:
            single.stop()


def lost(message: str, *, retryable: bool = False) -> Outcome:
    error = {"kind": "TaskProcessEnded", "message": message, "traceback": ""}
    return Outcome("error", error={**error, "retryable": retryable, "source": "task"})


class TestCancel:
    """A cancel while a body runs."""

    @pytest.mark.parametrize("body", [processes.sleeps, processes.keeps_the_interpreter])
    def test_killed(self, runner: ProcessRunner, body: Callable[..., Any], tmp_path: Path) -> None:
        """The body is killed, whatever it does."""
        running = Running(runner, body, tmp_path / "pid").begun()
        pid = running.pid
        running.execution.cancel(wait_for_end=True)
        assert running.outcome().kind == "cancelled"
        assert not is_alive(pid)

    def test_what_it_started(self, runner: ProcessRunner, tmp_path: Path) -> None:
        """The processes that it has started are killed with it."""
        running = Running(runner, processes.starts_a_process, tmp_path / "pid").begun()
        running.execution.cancel(wait_for_end=True)
        running.outcome()
        until(lambda: not is_alive(running.pid))

    def test_late(self, runner: ProcessRunner) -> None:
        """A cancel after the end kills nothing."""
        execution = Execution("body", kills=True)
        first = processes.run_body(runner, execution, processes.body_of(processes.pid))
        execution.cancel(wait_for_end=True)
        assert is_alive(result_of(first))

    def test_where(self, runner: ProcessRunner, tmp_path: Path) -> None:
        """While it runs, it is said in which process."""
        running = Running(runner, processes.until_removed, tmp_path / "pid").begun()
        where, pid = running.execution.stack(), running.pid
        running.file.unlink()
        running.outcome()
        assert where == f"in process {pid}\n"


class TestOutput:
    """What bodies print."""

    @pytest.fixture
    def display(self, journal: Journal) -> RunDisplay:
        self.run = make_run()
        journal.add_run(self.run)
        return RunDisplay(self.run, journal)

    def test_shown(self, runner: ProcessRunner, capsys: pytest.CaptureFixture[str]) -> None:
        """It is shown on the stream of this process."""
        run(runner, print, sep="-")
        assert capsys.readouterr().out == "\n"

    def test_while_it_runs(
        self, runner: ProcessRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is shown while the body runs, and stays when it is killed."""
        shown = io.StringIO()  # readouterr() would lose what is written while it reads
        monkeypatch.setattr(sys, "stdout", shown)
        running = Running(runner, processes.prints_and_sleeps, tmp_path / "pid").begun()
        until(lambda: shown.getvalue() == "printed\n")
        running.execution.cancel(wait_for_end=True)
        running.outcome()
        assert shown.getvalue() == "printed\n"

    def test_arguments(self, runner: ProcessRunner, display: RunDisplay, tmp_path: Path) -> None:
        """The run has the text of the arguments while its body runs."""
        running = Running(runner, processes.until_removed, tmp_path / "pid", display).begun()
        until(lambda: self.run.args_text)
        running.file.unlink()
        running.outcome()
        assert self.run.args_text == f"file={str(running.file)!r}"

    def test_result_text(self, runner: ProcessRunner, display: RunDisplay) -> None:
        """The outcome has the text of the result."""
        body = processes.body_of(bodies.add, display, a=1, b=2)
        assert runner.run(Execution("body"), body).result_text == "3"

    def test_thread(self, runner: ProcessRunner, capsys: pytest.CaptureFixture[str]) -> None:
        """What a thread of the body prints is shown as well."""

        def body() -> None:
            thread = threading.Thread(target=print, args=["from a thread"])
            thread.start()
            thread.join()

        run(runner, body)
        assert capsys.readouterr().out == "from a thread\n"

    def test_forked(self, runner: ProcessRunner, capsys: pytest.CaptureFixture[str]) -> None:
        """What a process prints that the body has forked comes not between the body's messages: it
        goes to the descriptor."""

        def body() -> bool:
            print("begun, ", end="")
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)
            print("parent" if pid else "child")
            return bool(pid)

        assert result_of(run(runner, body)) is True
        assert capsys.readouterr().out == "begun, parent\n"

    def test_not_shown(self, single: ProcessRunner, monkeypatch: pytest.MonkeyPatch) -> None:
        """If it cannot be shown, the process is not used again: it would answer the next run what
        this one expected."""

        class Stream:
            def write(self, text: str) -> None:
                raise RuntimeError("no")

        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", Stream())
            with pytest.raises(RuntimeError):
                run(single, print)
        assert result_of(run(single, bodies.add, a=1, b=2)) == 3

    def test_handler_of_an_earlier_task(
        self, runner: ProcessRunner, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A logging handler that one task has made writes for the next ones."""

        def body(text: str) -> None:
            import logging

            logging.basicConfig()
            logging.getLogger("app").warning(text)

        for _ in range(2):  # of two processes
            run(runner, body, text="first")
        capsys.readouterr()
        run(runner, body, text="second")
        assert capsys.readouterr().err == "WARNING:app:second\n"


def test_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that ends is an error that says how."""
    monkeypatch.setattr(start_child, "arguments", lambda *_: ["-c", "raise SystemExit(9)"])
    process = TaskProcess(0, lambda _: None)
    process.start()
    with pytest.raises(CannotServeError, match="did not start: it ended with exit status 9"):
        process.wait_until_ready()
    process.retire()
    process.end(1.0)


def test_no_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an interpreter the system's error is raised, and nothing is left open."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    before = os.listdir("/dev/fd")
    with pytest.raises(FileNotFoundError):
        TaskProcess(0, lambda _: None).start()
    assert os.listdir("/dev/fd") == before
