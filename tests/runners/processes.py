"""Bodies, and waiting for what they do, for the tests of processes of tasks."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wove_http_dev.protocol.frames import dumps
from wove_http_dev.runners.processes import ProcessRunner
from wove_http_dev.runs.body import Body
from wove_http_dev.runs.display import RunDisplay
from wove_http_dev.runs.execution import Execution
from wove_http_dev.runs.outcome import CANCELLED, Outcome

PATIENCE = 30.0


def until(happened: Callable[[], object]) -> None:
    """Wait until ``happened()`` is true."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        if Path("/proc/self").exists():
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return True
        return False
    return state != "Z"


def body_of(function: Callable[..., Any], display: RunDisplay | None = None, **args: Any) -> Body:
    """``function(**args)`` as the body of a task."""
    return Body(dumps(function), dumps(args), display=display)


def run(runner: ProcessRunner, function: Callable[..., Any], **args: Any) -> Outcome:
    """Run ``function(**args)`` on ``runner``, and return its outcome."""
    return run_body(runner, Execution("body"), body_of(function, **args))


def run_body(runner: ProcessRunner, execution: Execution, body: Body) -> Outcome:
    """What the service does with a body."""
    with runner.slot(execution):
        if not execution.begin():
            return CANCELLED
        return runner.run(execution, body)


class Running:
    """A body that runs in a thread: ``function(file)``, which writes to ``file`` when it has
    begun."""

    def __init__(
        self,
        runner: ProcessRunner,
        function: Callable[..., Any],
        file: Path,
        display: RunDisplay | None = None,
    ) -> None:
        self.execution = Execution("body", kills=True)
        self.file = file
        self._outcomes: list[Outcome] = []
        body = body_of(function, display, file=str(file))
        self._thread = threading.Thread(
            target=lambda: self._outcomes.append(run_body(runner, self.execution, body))
        )
        self._thread.start()

    def begun(self) -> Running:
        """Wait until it has begun."""
        until(lambda: self.file.exists() and self.file.read_text().endswith("\n"))
        return self

    @property
    def pid(self) -> int:
        """The process that it wrote into its file."""
        return int(self.file.read_text())

    def outcome(self) -> Outcome:
        """Wait until it has ended, and return the outcome."""
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self._outcomes[0]


_first: dict[str, str] = {}


class DiffersFromBefore:
    """Returns what a file has, if that is not what it had at the first call in this process."""

    def __init__(self, file: Path) -> None:
        self._file = str(file)

    def __call__(self) -> dict[str, str]:
        text = Path(self._file).read_text()
        first = _first.setdefault(self._file, text)
        return {} if text == first else {self._file: text}


def begin(file: str) -> None:
    with open(file, "w") as opened:
        print(os.getpid(), file=opened)


def sleeps(file: str) -> None:
    begin(file)
    time.sleep(PATIENCE)


def until_removed(file: str) -> str:
    begin(file)
    until(lambda: not os.path.exists(file))
    return "removed"


def keeps_the_interpreter(file: str) -> None:
    import re

    begin(file)
    re.match(r"(a+)+$", "a" * 60 + "b")  # takes years, in C code


def starts_a_process(file: str) -> None:
    import subprocess

    started = subprocess.Popen(["sleep", str(int(PATIENCE))])
    with open(file, "w") as opened:
        print(started.pid, file=opened)
    started.wait()


def prints_and_sleeps(file: str) -> None:
    print("printed")
    begin(file)
    time.sleep(PATIENCE)


def pid() -> int:
    return os.getpid()


def exits(status: int) -> None:
    os._exit(status)


def kills_itself(number: int) -> None:
    os.kill(os.getpid(), number)


def crashes() -> None:
    import ctypes
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def forks(file: str) -> None:
    forked = os.fork()
    if forked == 0:
        time.sleep(PATIENCE)
        os._exit(0)
    Path(file).write_text(f"{forked}\n")
    os._exit(7)
