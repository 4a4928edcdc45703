"""The speed table: ``python -m tests.benchmarks [--share S] [--json FILE] [NAME …]``.

Each figure is compared with that of a peer, which is measured in the same run and in turn, so that
a change of the machine's speed affects both. ``README.md`` says what each NAME measures.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.compare import measure_revision
from tests.benchmarks.figures import Table, machine
from tests.benchmarks.load import measure_load
from tests.benchmarks.memory import measure_memory
from tests.benchmarks.page import measure_page
from tests.benchmarks.runners import measure_dask, measure_processes, measure_upstream
from tests.benchmarks.slow_clients import measure_slow_clients
from tests.benchmarks.starts import measure_starts
from tests.benchmarks.tasks import measure_tasks
from tests.benchmarks.verification import measure_verification
from tests.benchmarks.watched_memory import measure_watched_memory

BENCHMARKS: dict[str, Callable[[Table, float], None]] = {
    "tasks": measure_tasks,
    "starts": measure_starts,
    "load": measure_load,
    "verification": measure_verification,
    "memory": measure_memory,
}
"""What is measured if no name is given."""
ROUNDS = 7
"""Of those that are measured by name only."""
SECONDS = 60.0
"""Of each condition of ``page``."""


def main() -> None:
    by_name_only: dict[str, Callable[[float], None]] = {  # minutes long, or in a form of their own
        "slow-clients": lambda share: measure_slow_clients(),
        "page": lambda share: measure_page(SECONDS * share),
        "processes": lambda share: measure_processes(_rounds(share)),
        "dask": lambda share: measure_dask(_rounds(share)),
        "upstream": lambda share: measure_upstream(_rounds(share)),
        "watched-memory": lambda share: measure_watched_memory(),
    }
    every = [*BENCHMARKS, *by_name_only]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        help="how many rounds to measure, as a share of the usual number (default: 1)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON as well")
    parser.add_argument(
        "--compare",
        metavar="REVISION",
        help="measure only what a task costs now and what it cost at that revision, in turn",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(every)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(every):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(every)}")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request, from the peer
    print(f"{machine()}; medians (quartiles); what is compared: with its 95 % interval")
    table = Table()
    if arguments.compare:
        measure_revision(table, arguments.compare, arguments.share)
    for name in arguments.names or ([] if arguments.compare else BENCHMARKS):
        if name in BENCHMARKS:
            BENCHMARKS[name](table, arguments.share)
        else:
            by_name_only[name](arguments.share)
    if arguments.json is not None:
        table.write(arguments.json)


def _rounds(share: float) -> int:
    return max(1, round(ROUNDS * share))


if __name__ == "__main__":
    main()
