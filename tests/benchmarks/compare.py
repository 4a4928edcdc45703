"""Whether the worker in the test's process became slower since another revision:
``python -m tests.benchmarks --compare REVISION``.

Each revision has a process with worker and client, and only one of them works at a time. A second
process of the other revision shows what the machine alone makes of two equal ones.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.benchmarks.compare_process import MAPPED_TASKS
from tests.benchmarks.figures import Figure, Table, in_turn
from tests.worker_process import ROOT

ROUNDS = 40
MEASURED = {"one task": "a weave of one task", "mapped": f"a task of {MAPPED_TASKS} mapped ones"}


def measure_revision(table: Table, revision: str, share: float = 1.0) -> None:
    """Add to ``table`` what a task costs now, against ``revision``. ``share`` multiplies the number
    of rounds."""
    with ExitStack() as stack:
        tree = stack.enter_context(_source_of(revision))
        processes = {
            label: stack.enter_context(_measuring(source))
            for label, source in ((revision, tree), ("the same again", tree), ("now", ROOT / "src"))
        }
        for kind, title in MEASURED.items():
            measured = {label: partial(_ask, each, kind) for label, each in processes.items()}
            for clock, samples in in_turn(measured, max(3, round(ROUNDS * share))).items():
                what = f"{title} over in-process https, {clock} time"
                table.add(Figure(what, "ms a task", samples, revision))


def _ask(process: subprocess.Popen[str], what: str) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{what}\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the measured process ended with {process.wait()}")
    figures: dict[str, float] = json.loads(line)
    return figures


@contextmanager
def _source_of(revision: str) -> Iterator[Path]:
    """Unpack ``src`` as it was at ``revision``; yield its path."""
    archive = subprocess.run(
        ["git", "archive", revision, "src"], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["tar", "-x", "-C", directory], input=archive, check=True)
        yield Path(directory).resolve() / "src"


@contextmanager
def _measuring(source: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("compare_process.py")), str(source)],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.communicate(timeout=30)  # closes stdin, which ends it
