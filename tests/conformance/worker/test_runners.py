"""The package's own service passes the cases wherever its task bodies run. (That of threads is in
``test_healthy``.)"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

from tests.conformance.worker.checks import check, failures
from tests.support import MakeWorker
from wove_http_dev.conformance.worker.cases.concurrency.side_by_side import MANY

STOPS = ("stops-async-task", "require-ack-acknowledged")
"""SHOULDs that ask for the end of a body that runs, which an executor offers no way to."""


@contextmanager
def pool() -> Iterator[Executor]:
    """An executor of as many processes as a case asks for at once."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["wove_http_dev.runners.remote_body"])
    with ProcessPoolExecutor(MANY, mp_context=context) as executor:
        yield executor


def test_executor(make_worker: MakeWorker) -> None:
    """With an executor it passes every case but two SHOULDs."""
    with pool() as executor:
        worker = make_worker(runner=executor)
        results = check(
            worker.url, exclude=STOPS, secret=str(worker.secret), ca_file=worker.ca_file
        )
        worker.stop()  # before its executor is closed
    assert failures(results) == []
