"""Kills among tasks of ``runner="processes"``: ``python -m tests.soak processes``.

Clients send short tasks, some with a large result or much output, to a worker with fewer processes
than clients. At random moments one of the runs is cancelled, or a process is killed from outside,
whatever it does then. Each body notes in a file when it begins and ends.
"""

from __future__ import annotations

import os
import random
import signal
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support import cancel_frame, run_frame, signed_request
from tests.worker_process import process_figures
from wove_http_dev.runners.processes import ProcessRunner
from wove_http_dev.runs.records import Run
from wove_http_dev.service.host import InProcessHost
from wove_http_dev.worker import HttpWorker

CLIENTS = 8
WORKERS = 3
SHORT = 0.04
"""Seconds that a body takes at most, without its result and output."""
LARGE = 2 * 2**20
PATIENCE = 60.0
KILL_TIME = 1.0
"""Seconds in which a cancel must have killed its body."""


def soak_processes(runs: int, kills: int, seed: int) -> list[str]:
    """Run tasks and kill some; print what became of them, and return what is wrong."""
    before = process_figures()
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "log"
        log.touch()
        begin = time.monotonic()
        with HttpWorker(runner="processes", workers=WORKERS, strict=False) as worker:
            soak = _Soak(worker, log, random.Random(seed))
            soak.run(runs, kills)
            seconds = time.monotonic() - begin
            soak.check()
    after = process_figures()
    soak.left(before, after)
    print(f"{runs} runs on {WORKERS} processes, {CLIENTS} at a time, in {seconds:.0f} s")
    print(f"kills: {dict(soak.kills)}; longest from a cancel to its answer: {soak.longest:.3f} s")
    print(f"states: {dict(soak.states)}; executions: {dict(soak.executions)}; seed {seed}")
    print(f"processes that ran bodies: {len(soak.pids)}; before: {before}; after: {after}")
    return [f"{count} x {what}" for what, count in soak.wrong.items()]


def _body(log: str, seconds: float, size: int, lines: int) -> Callable[[str], bytes]:
    def body(run: str) -> bytes:
        import os
        import time

        def write(what: str) -> None:
            descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
            os.write(descriptor, f"{what} {run} {os.getpid()}\n".encode())
            os.close(descriptor)

        write("began")
        for number in range(lines):
            print("line", number)
        time.sleep(seconds)
        result = bytes(size)
        write("ended")
        return result

    return body


class _Soak:
    def __init__(self, worker: HttpWorker, log: Path, rng: random.Random) -> None:
        host = worker._host
        assert isinstance(host, InProcessHost)
        runner = host.pipeline.runner
        assert isinstance(runner, ProcessRunner)
        self._worker = worker
        self._runner = runner
        self._log = log
        self._random = rng
        self._lock = threading.Lock()
        self._answers: dict[str, str] = {}
        self._cancelled: set[str] = set()
        self.longest = 0.0
        self.pids: set[int] = set()
        self.kills: Counter[str] = Counter()
        self.states: Counter[str] = Counter()
        self.executions: Counter[int] = Counter()
        self.wrong: Counter[str] = Counter()

    def run(self, runs: int, kills: int) -> None:
        """Send the tasks, and wait until each is answered."""
        chosen = {*self._random.sample(range(runs), kills)}
        out, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115
        try:
            with ThreadPoolExecutor(CLIENTS) as clients, ThreadPoolExecutor(CLIENTS) as killers:
                for number in range(runs):
                    name = f"run-{number}"
                    clients.submit(self._send, name, self._frame(name))
                    if number in chosen:
                        killers.submit(self._kill, name, self._random.random(), number % 2 == 0)
        finally:
            sys.stdout.close()
            sys.stdout = out

    def _frame(self, name: str) -> bytes:
        size = LARGE if self._random.random() < 0.05 else 100
        lines = 2000 if self._random.random() < 0.05 else 1
        body = _body(str(self._log), self._random.random() * SHORT, size, lines)
        return run_frame(body, {"run": name}, run_id=name)

    def _send(self, name: str, frame: bytes) -> None:
        try:
            answer = signed_request(self._worker, frame)
            said = answer.terminal if answer.status == 200 else str(answer.status)
        except (OSError, ValueError, ssl.SSLError) as exc:
            said = type(exc).__name__
        with self._lock:
            self._answers[name] = said or "nothing"

    def _kill(self, name: str, moment: float, from_outside: bool) -> None:
        """Kill something at a random moment after the run ``name`` was received."""
        deadline = time.monotonic() + PATIENCE
        while name not in self._received() and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(moment * 2 * SHORT)
        if from_outside:
            processes = sorted(self._pids_now())
            pid = processes[int(moment * 1e6) % len(processes)]
            with self._lock:
                self.kills["SIGKILL"] += 1
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    self.kills["SIGKILL of none"] += 1
            return
        mode = "require_ack" if int(moment * 1e6) % 2 else "best_effort"
        with self._lock:
            self.kills[mode] += 1
            self._cancelled.add(name)
        begin = time.monotonic()
        signed_request(self._worker, cancel_frame(name, mode=mode))
        self.longest = max(self.longest, time.monotonic() - begin)

    def _received(self) -> set[str]:
        return {run.run_id for run in self._worker.runs}

    def _pids_now(self) -> list[int]:
        with self._runner._lock:
            return [each.pid for each in self._runner._processes if each._popen is not None]

    def check(self) -> None:
        """Compare what clients, the journal and the bodies say of each run."""
        begun, ended = self._logged("began"), self._logged("ended")
        self.pids = {pid for pids in begun.values() for pid in pids}
        recorded = {run.run_id: run for run in self._worker.runs}
        for name, answer in self._answers.items():
            run = recorded.pop(name, None)
            if run is None:
                self._note(f"a run was answered {answer} and is not recorded")
                continue
            self.states[run.state] += 1
            self.executions[run.executions] += 1
            self._check(run, answer, len(begun.get(name, ())), len(ended.get(name, ())))
        for run in recorded.values():
            self._note(f"a run is {run.state}, and was not answered")

    def _check(self, run: Run, answer: str, begun: int, ended: int) -> None:
        expected = {
            "succeeded": "task_result",
            "failed": "task_error",
            "cancelled": "task_cancelled",
        }
        if expected.get(run.state) != answer:
            self._note(f"a run is {run.state}, and was answered {answer}")
        if begun > run.executions or begun > 1:
            self._note(f"a body began {begun} times, and {run.executions} are counted")
        if run.state == "succeeded" and (begun, ended) != (1, 1):
            self._note(f"a body that succeeded began {begun} and ended {ended} times")
        if run.state == "cancelled" and run.run_id not in self._cancelled:
            self._note("a run was cancelled by nobody")
        if run.state == "failed" and "SIGKILL (9)" not in (run.error_text or ""):
            self._note(f"a run failed: {run.error_text}")
        if run.abandoned:
            self._note("a run was abandoned")

    def _logged(self, what: str) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for line in self._log.read_text().splitlines():
            kind, run, pid = line.split()
            if kind == what:
                found.setdefault(run, []).append(int(pid))
        return found

    def _note(self, what: str) -> None:
        self.wrong[what] += 1

    def left(self, before: dict[str, int], after: dict[str, int]) -> None:
        """Note what is left after the worker was stopped."""
        for what in ("threads", "descriptors"):
            if after[what] > before[what]:
                names = [thread.name for thread in threading.enumerate()]
                self._note(f"{after[what] - before[what]} {what} left ({names})")
        if self.kills["SIGKILL"] < self.states["failed"]:
            self._note("more runs failed than processes were killed")
        if self.longest > KILL_TIME:
            self._note(f"a cancel took {self.longest:.3f} s")
        for path in Path("/proc").glob("[0-9]*"):
            if _is_left(path):
                self._note(f"process {path.name} left")


def _is_left(path: Path) -> bool:
    try:
        fields: Any = (path / "stat").read_text().rpartition(")")[2].split()
        command = (path / "cmdline").read_text()
    except OSError:
        return False
    # One that lost its parent is a child of the first process; those of other tests are not.
    return int(fields[1]) == os.getpid() or (fields[1] == "1" and "task_child" in command)
