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
    """Run weaves of one task, one after the other."""
    for _ in range(ONE_TASK_WEAVES):
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

    assert len(w.result.t) == MAPPED_TASKS


MEASURED: dict[str, tuple[Callable[[str], None], int]] = {
    "one task": (one_task, ONE_TASK_WEAVES),
    "mapped": (mapped, MAPPED_TASKS),
}


def main() -> None:
    source = Path(wove_http_dev.__file__).parents[1]
    assert source == Path(sys.argv[1]), f"measures {source}, not {sys.argv[1]}"
    with HttpWorker(secret="s" * 43) as worker, worker.configured():
        for line in sys.stdin:
            run, tasks = MEASURED[line.strip()]
            worker.reset()
            wall, processor = time.perf_counter(), time.process_time()
            run(worker.environment)
            figures = {
                "processor": (time.process_time() - processor) * 1000 / tasks,
                "wall": (time.perf_counter() - wall) * 1000 / tasks,
            }
            print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
