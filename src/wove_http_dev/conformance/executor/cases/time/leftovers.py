"""Cases about what remains after a weave: its threads and connections have ended, and the settings
of the process are unchanged.

The threads and the open file descriptors of this process are listed before and after a series of
equal weaves, and the new ones are counted. The worker runs in this process too: its threads are not
counted, but its ends of the connections are.
"""

from __future__ import annotations

import gc
import os
import threading
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.cases.time import family
from wove_http_dev.conformance.executor.context import CaseContext, process_settings, wait_until
from wove_http_dev.worker import HttpWorker

WARM_UP, WEAVES = 3, 10
GROWN = 8
"""This many new threads or descriptors mean about one leak in each weave. A thread pool keeps
fewer."""
SETTLING = 1.0
"""Seconds within which threads and connections must end after a weave."""
CHECKER_THREADS = ("wove-http-dev", "conformance-")
"""How the names of the threads of the worker and of the checker begin."""
FOLDERS = ("/proc/self/fd", "/dev/fd")


def _threads() -> set[Any]:
    return {each for each in threading.enumerate() if not each.name.startswith(CHECKER_THREADS)}


def _descriptors() -> set[Any]:
    """Return the open file descriptors, each with its inode, because a closed descriptor's number
    is used again. Empty if the system does not list them."""
    found = set()
    for folder in FOLDERS:
        if os.path.isdir(folder):
            for number in map(int, os.listdir(folder)):
                with suppress(OSError):  # the descriptor of the listing itself is closed
                    found.add((number, os.fstat(number).st_ino))
            break
    return found


KINDS: Mapping[str, Callable[[], set[Any]]] = {
    "threads": _threads,
    "open descriptors": _descriptors,
}


def _weaves_in_a_row(
    check: CaseContext, worker: HttpWorker, definition: Mapping[str, Any], count: int
) -> None:
    for _ in range(count):
        outcome = check.run_one_weave(worker, definition=definition)
        if outcome.kind != "result":
            check.fail(
                f"one of several weaves in a row with one executor has {outcome}; each weave starts"
                " and stops the executor of its environment"
            )


@family.should(
    "14",
    sources.EXHAUSTION,
    scenario=f"{WEAVES} weaves of one task on one executor, after {WARM_UP} others",
    expected=f"fewer than {GROWN} additional threads or descriptors, {SETTLING:g} s later",
    alone=True,
)
def nothing_left_behind(check: CaseContext) -> str:
    """A weave leaves no threads and no connections behind."""
    worker = check.worker()
    definition = check.definition(worker, {})
    _weaves_in_a_row(check, worker, definition, WARM_UP)
    gc.collect()
    before = {kind: existing() for kind, existing in KINDS.items()}
    _weaves_in_a_row(check, worker, definition, WEAVES)
    gc.collect()  # objects that are only garbage do not count

    def grown() -> dict[str, int]:
        # What other code of the process ended in between does not make up for what is new.
        return {kind: len(existing() - before[kind]) for kind, existing in KINDS.items()}

    if not wait_until(lambda: max(grown().values()) < GROWN, check.seconds(SETTLING)):
        more = " and ".join(f"{n} more {kind}" for kind, n in grown().items() if n >= GROWN)
        check.fail(
            f"after {WEAVES} weaves with one executor there are {more} than before: a weave does"
            " not release them"
        )
    return ", ".join(f"{n:+d} {kind}" for kind, n in grown().items())


@family.should(
    "15",
    sources.PROCESS,
    scenario="a weave of one task",
    expected="no setting of the process is changed",
    alone=True,
)
def process_as_it_was(check: CaseContext) -> str:
    """An executor does not change settings of the process, which belong to the application."""
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
            check.fail(f"{what} was changed; only the application may change it")
    return "unchanged"
