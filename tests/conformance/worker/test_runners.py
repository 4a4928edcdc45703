"""The package's own service passes the cases wherever its task bodies run: in processes, on an
executor, on Dask, and at another worker service. (That of threads is in ``test_healthy``.)

It speaks plain http here: its https, which is the same with every runner, is checked in
``test_healthy``, and takes half of the processor time of a check.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.conformance.parts import JOBS, parts
from tests.conformance.worker import references
from tests.conformance.worker.checks import check, failures
from tests.support import MakeWorker, free_port
from wove_http_dev.conformance.service_process import ServiceCommand
from wove_http_dev.conformance.worker.cases.concurrency.side_by_side import MANY
from wove_http_dev.conformance.worker.suite import WORKER_CASES
from wove_http_dev.tls import CertificateAuthority

STOPS = ("stops-async-task", "require-ack-acknowledged", "stops-a-task-that-was-loaded")
"""SHOULDs that ask for the end of a body that runs, which executors and Dask offer no way to."""


@contextmanager
def pool() -> Iterator[Executor]:
    """An executor of as many processes as a case asks for at once."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["wove_http_dev.runners.remote_body"])
    with ProcessPoolExecutor(MANY, mp_context=context) as executor:
        yield executor


in_parts = pytest.mark.parametrize(
    "ids", parts(WORKER_CASES, 2), ids=lambda ids: f"{ids[0]}-and-others"
)


@in_parts
def test_processes(make_worker: MakeWorker, ids: list[str]) -> None:
    """With ``runner="processes"`` it passes every case, including SHOULDs."""
    worker = make_worker(runner="processes", workers=MANY, tls=False)
    results = check(worker.url, *ids, jobs=JOBS, secret=str(worker.secret))
    assert failures(results) == []


@in_parts
def test_executor(make_worker: MakeWorker, ids: list[str]) -> None:
    """With an executor it passes every case but these SHOULDs."""
    with pool() as executor:
        worker = make_worker(runner=executor, tls=False)
        results = check(
            worker.url,
            *ids,
            exclude=STOPS,
            jobs=JOBS,
            secret=str(worker.secret),
        )
        worker.stop()  # before its executor is closed
    assert failures(results) == []


@pytest.mark.filterwarnings("default")  # Dask's own, in other threads too
@in_parts
def test_dask(make_worker: MakeWorker, ids: list[str]) -> None:
    """On a Dask cluster it passes every case but the same SHOULDs."""
    pytest.importorskip("distributed", reason="Dask is not installed: tox -e dask")
    worker = make_worker(runner="dask", workers=MANY, tls=False)
    results = check(
        worker.url,
        *ids,
        exclude=STOPS,
        jobs=JOBS,
        secret=str(worker.secret),
    )
    assert failures(results) == []


BEFORE_UPSTREAM = ("auth.*", "limits.0[167]")
"""Cases about what the worker in front does before it forwards a request, or about its own
process; they take most of the time, and ``test_healthy`` runs them."""


@in_parts
@pytest.mark.parametrize(
    ("name", "scheme"), [("stdlib", "https"), ("flask", "http"), ("fastapi", "http")]
)
def test_before_a_reference_worker(
    make_worker: MakeWorker,
    wove_http_ca: CertificateAuthority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    scheme: str,
    ids: list[str],
) -> None:
    """With ``upstream=``, in front of each reference worker, it passes every case that reaches
    that one, including SHOULDs."""
    for module in references.NEEDS[name]:
        pytest.importorskip(module)
    monkeypatch.setenv("WOVE_WORKER_SECRET", "the secret of a reference worker")
    port = free_port()
    cert, key = references.certificate(wove_http_ca, tmp_path)
    tls = ("--cert", cert, "--key", key) if scheme == "https" else ()
    command = references.command(name, port, *tls)
    with ServiceCommand(command, "localhost", port):
        worker = make_worker(
            tls=False,
            upstream=f"{scheme}://localhost:{port}/wove/tasks",
            upstream_security="env:WOVE_WORKER_SECRET",
            upstream_ca_file=wove_http_ca.cert_file if tls else None,
        )
        results = check(
            worker.url,
            *ids,
            exclude=BEFORE_UPSTREAM,
            jobs=JOBS,
            secret=str(worker.secret),
        )
        worker.stop()
    assert failures(results) == []
