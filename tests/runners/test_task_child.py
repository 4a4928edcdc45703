"""What a process of tasks does, and how it ends with its service."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.runners import processes
from tests.runners.processes import is_alive, until
from tests.runs.bodies import result_of
from wove_http_dev.runners.processes import ProcessRunner

ROOT = Path(__file__).parents[2]
# Without ``if __name__ == "__main__"``: a process that imported it would start processes too.
PROGRAM = """
print("main", flush=True)
import sys
from tests.runners.processes import run, until_removed, keeps_the_interpreter, Running, pid
from wove_http_dev.runners.processes import ProcessRunner
runner = ProcessRunner(1)
runner.start()
def module():
    import sys
    return sys.modules["__main__"].__file__
print(run(runner, module).result_pickle is not None, flush=True)
runner.stop()
"""
SERVICE = """
import sys
from pathlib import Path
from tests.runners import processes
from wove_http_dev.runners.processes import ProcessRunner
runner = ProcessRunner(1)
runner.start()
processes.Running(runner, getattr(processes, sys.argv[1]), Path(sys.argv[2])).begun()
print("begun", flush=True)
sys.stdin.read()
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("form", ["script", "command", "zip"])
def test_main_is_not_imported(form: str, tmp_path: Path) -> None:
    """The processes of a program do not run its ``__main__``, and nothing is printed at its end."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    archive = tmp_path / "program.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", PROGRAM)
    arguments = {"script": [str(script)], "command": ["-c", PROGRAM], "zip": [str(archive)]}
    printed, _ = start(*arguments[form]).communicate(timeout=60)
    assert printed == "main\nTrue\n"


@pytest.mark.parametrize("body", ["starts_a_process", "keeps_the_interpreter"])
def test_killed_service(body: str, tmp_path: Path) -> None:
    """When the service is killed, its process ends whatever its body does, and what that has
    started."""
    if body == "keeps_the_interpreter" and sys.platform != "linux":
        pytest.skip("only Linux kills it")
    file = tmp_path / "pid"
    with start("-c", SERVICE, body, str(file)) as service:
        assert service.stdout is not None
        assert service.stdout.readline() == "begun\n"
        service.kill()
    until(lambda: not is_alive(int(file.read_text())))


class TestProcess:
    """The process itself."""

    def test_session(self, single: ProcessRunner) -> None:
        """It has a session of its own: the terminal's Ctrl-C is not for it."""

        def body() -> int:
            return os.getsid(0)

        assert result_of(processes.run(single, body)) == result_of(
            processes.run(single, processes.pid)
        )

    def test_interrupt(self, single: ProcessRunner) -> None:
        """SIGINT does not end a body."""

        def body() -> str:
            os.kill(os.getpid(), signal.SIGINT)
            return "still here"

        assert result_of(processes.run(single, body)) == "still here"

    def test_what_a_task_starts(self, single: ProcessRunner) -> None:
        """A program that a task starts has the default action for SIGINT, unless the service was
        started with another one, and no descriptor of the connection."""

        def body() -> str:
            import subprocess
            import sys

            program = (
                "import os, signal;"
                " print(signal.getsignal(2) is signal.SIG_IGN, os.listdir('/dev/fd'))"
            )
            return subprocess.run(
                [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=True
            ).stdout

        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert result_of(processes.run(single, body)).startswith(f"{ignored} ['0', '1', '2', '3']")

    def test_replaced_with_a_thread(self, single: ProcessRunner) -> None:
        """A process whose place another one has taken ends although a task has left a thread."""

        def body() -> int:
            import threading

            from wove_http_dev.runners import task_child

            task_child.EXIT_GRACE = 0.1
            threading.Thread(target=threading.Event().wait).start()
            return os.getpid()

        pid = result_of(processes.run(single, body))
        single.recycle()
        until(lambda: not is_alive(pid))

    def test_arguments(self, single: ProcessRunner) -> None:
        """A task sees no arguments of the process."""

        def body() -> int:
            import sys

            return len(sys.argv)

        assert result_of(processes.run(single, body)) == 1

    def test_descriptors(self, single: ProcessRunner) -> None:
        """It has no descriptor of the service but its connection, and the socket that tells it of
        the service's end."""

        def body() -> list[str]:
            return os.listdir("/dev/fd")

        read, write = os.pipe()
        try:
            found = result_of(processes.run(single, body))
        finally:
            os.close(read)
            os.close(write)
        assert len(found) == 3 + 2 + 1  # and the one that lists them

    def test_bodies_leave_nothing(self, single: ProcessRunner) -> None:
        """Its threads and descriptors do not grow with the bodies that it runs: functions,
        coroutines and those that fail."""

        def count() -> tuple[int, int, int]:
            import threading

            return os.getpid(), threading.active_count(), len(os.listdir("/dev/fd"))

        async def wait() -> None:
            import asyncio

            await asyncio.sleep(0)

        def fail() -> None:
            raise ValueError

        def run_each() -> tuple[int, int, int]:
            for body in (wait, fail):
                processes.run(single, body)
            counts: tuple[int, int, int] = result_of(processes.run(single, count))
            return counts

        pid, threads, descriptors = run_each()
        later = [run_each() for _ in range(15)][-1]
        # The thread of the body before may still be ending.
        assert (later[0], later[1] < threads + 5, later[2] < descriptors + 5) == (pid, True, True)


def test_it_imports_nothing_of_the_service() -> None:
    """A process starts again after each cancel; with the options and the journal that would take
    a third longer."""
    program = "import wove_http_dev.runners.task_child, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    kept_out = {f"wove_http_dev.{name}" for name in ("options", "runs.journal", "runs.records")}
    assert kept_out & {*done.stdout.split()} == set()
