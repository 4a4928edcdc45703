"""Cases about what a weave leaves behind: its threads and connections end with it, and settings of
the process stay as they were.

Threads and descriptors of this process are counted around weaves that are alike. The worker runs in
the same process, so its threads are left out, and its end of a connection is counted with the
executor's.
"""

from __future__ import annotations

import gc
import os
import threading
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import CaseContext, process_settings, wait_until
from wove_http_dev.worker import HttpWorker

WARM_UP, WEAVES = 3, 10
GROWN = 8
"""An increase from which there is about one more for each weave; a thread pool's few are less."""
SETTLING = 1.0
"""Seconds that threads and connections may take to end."""
CHECKER_THREADS = ("wove-http-dev", "conformance-")
"""How the names of the worker's and the checker's own threads begin."""
FOLDERS = ("/proc/self/fd", "/dev/fd")


def _threads() -> int:
    return sum(not thread.name.startswith(CHECKER_THREADS) for thread in threading.enumerate())


def _descriptors() -> int:
    """How many are open; 0 where the system does not list them."""
    for folder in FOLDERS:
        if os.path.isdir(folder):
            return len(os.listdir(folder))
    return 0


KINDS: Mapping[str, Callable[[], int]] = {"threads": _threads, "open descriptors": _descriptors}


def _weaves_in_a_row(
    check: CaseContext, worker: HttpWorker, definition: Mapping[str, Any], count: int
) -> None:
    for _ in range(count):
        outcome = check.run_one_weave(worker, definition=definition)
        if outcome.kind != "result":
            check.fail(
                f"one of several weaves in a row on one executor has {outcome}; each weave starts"
                " and stops the executor of its environment"
            )


@family.should(
    "14",
    sources.EXHAUSTION,
    scenario=f"{WEAVES} weaves of one task on one executor, after {WARM_UP} others",
    expected=f"not about one more thread or descriptor for each, {SETTLING:g} s later",
)
def nothing_left_behind(check: CaseContext) -> str:
    """A weave leaves no threads and no connections behind."""
    worker = check.worker()
    definition = check.definition(worker, {})
    _weaves_in_a_row(check, worker, definition, WARM_UP)
    gc.collect()
    before = {kind: count() for kind, count in KINDS.items()}
    _weaves_in_a_row(check, worker, definition, WEAVES)
    gc.collect()  # what only the garbage holds is not kept

    def grown() -> dict[str, int]:
        return {kind: count() - before[kind] for kind, count in KINDS.items()}

    if not wait_until(lambda: max(grown().values()) < GROWN, SETTLING):
        more = " and ".join(f"{n} more {kind}" for kind, n in grown().items() if n >= GROWN)
        check.fail(
            f"after {WEAVES} weaves on one executor there are {more} than before: what a weave used"
            " is never released"
        )
    return ", ".join(f"{n:+d} {kind}" for kind, n in grown().items())


@family.should(
    "15",
    sources.PROCESS,
    scenario="a weave of one task",
    expected="no setting of the whole process is changed by it",
)
def process_as_it_was(check: CaseContext) -> str:
    """An executor does not change settings of the process, which is the application's."""
    worker = check.worker()
    opener, environ = urllib.request._opener, dict(os.environ)  # type: ignore[attr-defined]
    check.run_one_weave(worker)
    before = {**check.process_before, "urllib's opener": opener, "os.environ": environ}
    now = {
        **process_settings(),
        "urllib's opener": urllib.request._opener,  # type: ignore[attr-defined]
        "os.environ": dict(os.environ),
    }
    for what, value in now.items():
        if value != before[what]:
            check.fail(f"{what} is not what it was before: that is the application's to set")
    return "as it was"
