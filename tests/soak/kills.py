"""Kills of an isolated worker while it runs tasks: ``python -m tests.soak kills``.

Most rounds kill the child process at a random moment before or during four short runs. In the
others a run has a result of ``LARGE`` bytes, and the kill comes after its body has ended and before
the test's process has been told the result.
"""

from __future__ import annotations

import os
import random
import signal
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support import HttpResponse, run_frame, signed_request
from tests.worker_process import process_figures
from wove_http_dev.isolated.host import IsolatedHost
from wove_http_dev.runs.records import FINISHED
from wove_http_dev.worker import HttpWorker

LARGE = 12 * 2**20
RUNS = 4
"""Short runs in each round."""
SHORT = 0.03
"""Seconds that a short run takes at most."""
PATIENCE = 20.0
"""Seconds for the end of a kill to be known."""


def soak_kills(kills: int, large: int, seed: int) -> list[str]:
    """Kill workers, print what came of their runs, and return what must not have."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        temporary = Path(name)
        home = temporary / "home"
        home.mkdir()
        os.environ["HOME"] = str(home)
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        log = temporary / "log"
        log.touch()
        before = process_figures()
        pool = stack.enter_context(ThreadPoolExecutor(RUNS))
        begin = time.monotonic()
        with HttpWorker(isolated=True, strict=False) as worker:
            soak = _Kills(worker, pool, rng, temporary, log)
            soak.measure()
            while soak.large < large and soak.rounds < 4 * large:
                soak.one_large()
            aimed, soak.rounds = soak.rounds, 0
            while soak.rounds < kills - large:
                soak.one()
        seconds = time.monotonic() - begin
        pool.shutdown()
        log.unlink()
        after = process_figures()
        soak.left(before, after)
        tempfile.tempdir = None
        del os.environ["TMPDIR"]
    print(f"{soak.rounds} kills of {RUNS} short runs, {aimed} of a large one, in {seconds:.0f} s")
    print(f"killed while {LARGE // 2**20} MiB were told: {soak.large}")
    print(f"runs: {dict(soak.states)}; answers: {dict(soak.answers)}; seed {seed}")
    print(f"before: {before}; after: {after}")
    if soak.large < large:
        soak.wrong[f"only {soak.large} kills while a large result was told"] += 1
    return [f"{count} x {what}" for what, count in soak.wrong.items()]


def _body(size: int, seconds: float, log: str) -> Callable[[str], bytes]:
    def body(run: str) -> bytes:
        import os
        import time

        def write(what: str) -> None:
            descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
            os.write(descriptor, f"{what} {run} {time.time()}\n".encode())
            os.close(descriptor)

        write("began")
        time.sleep(seconds)
        result = bytes(size)
        write("ended")
        return result

    return body


class _Kills:
    def __init__(
        self,
        worker: HttpWorker,
        pool: ThreadPoolExecutor,
        rng: random.Random,
        temporary: Path,
        log: Path,
    ) -> None:
        self._worker = worker
        self._pool = pool
        self._random = rng
        self._temporary = temporary
        self._log = log
        self._telling = 0.0
        self._pids: set[int] = set()
        self._runs = 0
        self.rounds = 0
        self.large = 0
        self.states: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    def measure(self) -> None:
        """Measure how long the end of a large run takes to be told."""
        for _ in range(3):
            name, answer = self._post(LARGE, 0.0)
            answer.result(PATIENCE)
            (run,) = (run for run in self._worker.runs if run.run_id == name)
            assert run.finished is not None
            self._telling = run.finished - self._logged("ended")[name]
            self._worker.reset()
        self._log.write_text("")

    def one_large(self) -> None:
        name, answer = self._post(LARGE, 0.0)
        self._until("ended", 1)
        time.sleep(self._random.random() * self._telling)
        states = self._kill({name: answer})
        self.large += states[name] == "lost"

    def one(self) -> None:
        runs = dict(self._post(100, self._random.random() * SHORT) for _ in range(RUNS))
        self._until("began", self._random.randint(0, RUNS))
        time.sleep(self._random.random() * 1.5 * SHORT)
        self._kill(runs)

    def _until(self, what: str, count: int) -> None:
        """Wait until ``count`` bodies have begun, or ended."""
        deadline = time.monotonic() + PATIENCE
        while len(self._logged(what)) < count:
            if time.monotonic() > deadline:
                self._note(f"no {count} bodies {what}")
                return
            time.sleep(0.0005)

    def _post(self, size: int, seconds: float) -> tuple[str, Future[HttpResponse]]:
        self._runs += 1
        name = f"run-{self._runs}"
        frame = run_frame(_body(size, seconds, str(self._log)), {"run": name}, run_id=name)
        return name, self._pool.submit(signed_request, self._worker, frame)

    def _logged(self, what: str) -> dict[str, float]:
        lines = (line.split() for line in self._log.read_text().splitlines())
        return {line[1]: float(line[2]) for line in lines if line[0] == what}

    def _kill(self, runs: dict[str, Future[HttpResponse]]) -> dict[str, str]:
        """Kill the child, check what is known of ``runs`` then, and start it again."""
        self.rounds += 1
        host = self._worker._host
        assert isinstance(host, IsolatedHost)
        pid = host.pid
        if pid is None:
            self._note("it ended before it was killed")
        elif self._random.random() < 0.2:
            self._pids.add(pid)
            self._worker.crash()
        else:
            self._pids.add(pid)
            os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while self._worker.running:
            if time.monotonic() > deadline:
                self._note("still running after the kill")
                break
            time.sleep(0.001)
        statuses = {name: self._status(answer) for name, answer in runs.items()}
        states = {run.run_id: run.state for run in self._worker.all_runs}
        for name, state in states.items():
            self.states[state] += 1
            if state not in FINISHED:
                self._note(f"a run is {state} after its worker ended")
            if statuses.get(name) == "200" and state != "succeeded":
                self._note(f"a run is {state} though its client has the result")
        for name in self._logged("began"):
            if name not in states:
                self._note("a body ran, and no run was recorded")
        for exchange in self._worker.exchanges:
            if exchange.duration is None:
                self._note("an exchange is open after its worker ended")
        self._look_for_keys()
        self._worker.reset()
        self._log.write_text("")
        self._worker.start()
        return {name: states.get(name, "unknown") for name in runs}

    def _status(self, answer: Future[HttpResponse]) -> str:
        try:
            status = str(answer.result(PATIENCE).status)
        except (OSError, ValueError, ssl.SSLError) as exc:
            status = type(exc).__name__
        self.answers[status] += 1
        return status

    def _note(self, what: str) -> None:
        self.wrong[what] += 1

    def _look_for_keys(self) -> None:
        for file in self._temporary.rglob("*"):
            if file.is_file() and b"PRIVATE KEY" in file.read_bytes():
                self._note(f"a private key on disk: {file.relative_to(self._temporary)}")

    def left(self, before: dict[str, int], after: dict[str, int]) -> None:
        """Note what is left after the worker was stopped."""
        for what in ("threads", "descriptors"):
            if after[what] > before[what]:
                names = [thread.name for thread in threading.enumerate()]
                self._note(f"{after[what] - before[what]} {what} left ({names})")
        for file in self._temporary.rglob("*"):
            if file.name != "home":
                self._note(f"left: {file.relative_to(self._temporary)}")
        for pid in self._pids:
            if _is_alive(pid):
                self._note(f"process {pid} left")


def _is_alive(pid: int) -> bool:
    try:
        status: Any = Path(f"/proc/{pid}/stat").read_text().split()
    except OSError:
        return False
    return int(status[3]) == os.getpid() or "start_child" in _command(pid)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""
