"""False alarms of the checks on a busy machine: ``python -m tests.soak conformance``.

Subjects without a defect are checked with ``--strict`` again and again: the package's own service,
the reference workers, and the careful executor. Meanwhile other processes compute without pause.
Each failed case is a false alarm; so is one that could not be run, or that was skipped though it
was not in the first check of the subject, unless it measures the machine's own speed.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conformance.worker import references
from tests.support import free_port

SECRET_ENV = "WOVE_WORKER_SECRET"
"""The variable that the reference workers read."""
EXECUTOR = "tests.conformance.executor.conforming_executor:ConformingExecutor"
MEASURES_SPEED = {"limits.06"}
"""Cases that are rightly skipped on a machine that was not busy during the first check, but is."""
LONGEST = 400.0
"""Seconds after which a check is given up: no first run begins after 180 s."""
ROOT = Path(__file__).resolve().parents[2]
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Computes until the process that has started it ends, in whichever way."""


def soak_conformance(runs: int, busy: int, only: Sequence[str], jobs: int | None) -> list[str]:
    """Check each subject ``runs`` times beside ``busy`` processes that compute, and return the
    false alarms. ``only`` are the names of the subjects to check, all if it is empty."""
    chosen = [name for name in subjects() if not only or name in only]
    wrong = [f"no subject is called {name}" for name in only if name not in subjects()]
    skipped_at_first: dict[str, set[str]] = {}
    with _busy_processes(busy):
        for number in range(1, runs + 1):
            for name in chosen:
                began = time.monotonic()
                alarms, again, skipped = _one_check(name, jobs)
                more = skipped - skipped_at_first.setdefault(name, skipped) - MEASURES_SPEED
                alarms += [f"{case} skipped" for case in sorted(more)]
                wrong += [f"{name}, run {number}: {alarm}" for alarm in alarms]
                took = time.monotonic() - began
                print(
                    f"{name} {number}: {took:.1f} s, {len(skipped)} skipped, {len(alarms)} wrong",
                    flush=True,
                )
                for line in (*again, *alarms):
                    print(f"    {line}", flush=True)
    return wrong


def subjects() -> Mapping[str, Sequence[str]]:
    """Return the words of a check of each subject, by its name; ``{port}`` is a free port."""
    url = "http://127.0.0.1:{port}/wove/tasks"
    serve = [sys.executable, "-m", "wove_http_dev", "serve", "--no-tls", "--host", "127.0.0.1"]
    serve += ["--no-page", "--port", "{port}", "--secret-env", SECRET_ENV]
    serve += ["--state-dir", "{directory}"]
    commands = {"serve": shlex.join(serve)}
    for name in references.NEEDS:
        words = [sys.executable, str(references.EXAMPLES / f"worker_{name}.py")]
        commands[name] = shlex.join([*words, "--port", "{port}"])
    secret = ["--secret-env", SECRET_ENV]
    workers = {name: ["worker", url, *secret, "--cmd", cmd] for name, cmd in commands.items()}
    return {**workers, "executor": ["executor", EXECUTOR]}


_Found = tuple[list[str], list[str], set[str]]
"""False alarms, what was run a second time, and the ids of the cases that were skipped."""


def _one_check(name: str, jobs: int | None) -> _Found:
    """Run one check and return what was found."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        found = {"port": free_port(), "directory": shlex.quote(directory)}
        words = [word.format(**found) for word in subjects()[name]]
        words += ["--strict", "--json", str(report)]
        words += ["--jobs", str(jobs)] if jobs is not None else []
        try:
            done = subprocess.run(
                [sys.executable, "-m", "wove_http_dev", "check", *words],
                cwd=ROOT,
                env={**os.environ, SECRET_ENV: "the secret of a soak test"},
                capture_output=True,
                text=True,
                timeout=LONGEST,
            )
        except subprocess.TimeoutExpired:
            return [f"it had not ended after {LONGEST:g} s"], [], set()
        if not report.is_file():
            return [f"no report, exit status {done.returncode}: {done.stderr[-500:]}"], [], set()
        return _read(json.loads(report.read_text(encoding="utf-8")), done.returncode)


def _read(document: Mapping[str, Any], status: int) -> _Found:
    alarms, again = [], []
    skipped = {case["id"] for case in document["cases"] if case["status"] == "skipped"}
    for case in document["cases"]:
        if case["status"] not in ("passed", "skipped"):
            text = f"{case['id']} {case['status']}: {case['actual']}"
            alarms.append(f"{text} [{case['again']}]" if case["again"] else text)
        elif case["again"]:
            again.append(f"again: {case['id']}: {case['again']}")
    if status and not alarms:
        alarms.append(f"exit status {status}")
    return alarms, again, skipped


@contextmanager
def _busy_processes(count: int) -> Iterator[None]:
    """Run ``count`` processes that compute without pause until the block ends."""
    running = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()
