"""Whether the worker in the test's process became slower since another revision:
``python -m tests.benchmarks revision --against REVISION``.

Each revision has a process with worker and client, and only one of them works at a time. A second
process of the other revision shows what the machine alone makes of two equal ones.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.revision_process import MAPPED_TASKS
from tests.worker_process import ROOT

Figures = dict[str, dict[str, list[float]]]
"""The figures of all rounds, by clock and revision."""


def measure_revision(revision: str, rounds: int) -> None:
    """Print what a task costs now, as a ratio to what it costs at ``revision``."""
    with ExitStack() as stack:
        tree = stack.enter_context(_source_of(revision))
        measured = {
            label: stack.enter_context(_measuring(source))
            for label, source in (("before", tree), ("again", tree), ("now", ROOT / "src"))
        }
        for what, title in (
            ("one task", "a weave of one task"),
            ("mapped", f"a task of a mapped weave of {MAPPED_TASKS}"),
        ):
            figures = _rounds(what, measured, rounds)
            print(f"\n{title} over in-process https, now against {revision}")
            for clock in ("processor", "wall"):
                print(_row(clock, figures[clock]), flush=True)


def _row(clock: str, figures: dict[str, list[float]]) -> str:
    before = figures["before"]
    medians = ", ".join(
        f"{label} {statistics.median(values) * 1000:.3f} ms" for label, values in figures.items()
    )
    now, again = (_ratio(figures[label], before) for label in ("now", "again"))
    return f"  {clock + ' time':16}{now}; the same revision again {again}\n{'':18}{medians}"


def _ratio(values: Sequence[float], before: Sequence[float]) -> str:
    """The median of the ratios, and the range that holds the middle half of them."""
    ratios = [value / unit for value, unit in zip(values, before, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f} x (quartiles {low:.3f}-{high:.3f})"


def _rounds(what: str, measured: dict[str, subprocess.Popen[str]], rounds: int) -> Figures:
    figures: Figures = {clock: {label: [] for label in measured} for clock in ("wall", "processor")}
    for process in measured.values():  # what is done once only
        _ask(process, what)
    labels = list(measured)
    for number in range(rounds):
        turn = number % len(labels)  # no revision always follows the same one
        for label in labels[turn:] + labels[:turn]:
            for clock, seconds in _ask(measured[label], what).items():
                figures[clock][label].append(seconds)
    return figures


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
        [sys.executable, str(Path(__file__).with_name("revision_process.py")), str(source)],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.communicate(timeout=30)  # closes stdin, which ends it
