"""Worker and client in one process, of the revision of ``wove_http_dev`` that ``PYTHONPATH`` leads
to. Run as a script: it measures what each line of stdin names, and answers with a line of JSON.

It imports nothing of ``tests``, which may not fit the other revision.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from wove import weave

import wove_http_dev
from wove_http_dev import HttpWorker

ONE_TASK_WEAVES = 40
MAPPED_TASKS = 200


def one_task(environment: str) -> None:
    """Run a weave of one task."""
    with weave() as w:

        @w.do(environment=environment)
        def t() -> int:
            return 42

    assert w.result.t == 42


def mapped(environment: str) -> None:
    """Run a weave with one mapped task."""
    with weave() as w:

        @w.do(range(MAPPED_TASKS), environment=environment)
        def t(item: int) -> int:
            return 42

    assert w.result.t == [42] * MAPPED_TASKS


MEASURED: dict[str, tuple[Callable[[str], None], int, int]] = {
    "one task": (one_task, ONE_TASK_WEAVES, 1),
    "mapped": (mapped, 1, MAPPED_TASKS),
}
"""What is run, how often, and how many tasks it has."""


def main() -> None:
    source = Path(wove_http_dev.__file__).parents[1]
    assert source == Path(sys.argv[1]), f"measures {source}, not {sys.argv[1]}"
    with HttpWorker(secret="s" * 43) as worker, worker.configured():
        for line in sys.stdin:
            run, times, tasks = MEASURED[line.strip()]
            worker.reset()
            wall, processor = time.perf_counter(), time.process_time()
            for _ in range(times):
                run(worker.environment)
            figures = {
                "processor": (time.process_time() - processor) * 1000 / (times * tasks),
                "wall": (time.perf_counter() - wall) * 1000 / (times * tasks),
            }
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
