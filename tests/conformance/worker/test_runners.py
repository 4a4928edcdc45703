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
from wove_http_dev.worker import HttpWorker

STOPS = ("stops-async-task", "require-ack-acknowledged", "stops-a-task-that-was-loaded")
"""SHOULDs that ask for the end of a body that runs, which executors and Dask offer no way to."""


@contextmanager
def pool() -> Iterator[Executor]:
    """An executor of as many processes as a case asks for at once."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["wove_http_dev.runners.remote_body"])
    with ProcessPoolExecutor(MANY, mp_context=context) as executor:
        yield executor


BEFORE_THE_BODY = (
    *("auth.*", "transport.0[124-7]", "transport.[12]*"),
    *("limits.0[1236]", "limits.1[1-5]", "frames.25"),
)
"""Cases about what the service does before it has a body to run, and with the connection after it,
which is the same with every runner: ``test_healthy`` runs them. (Which run a cancel_task means,
``frames.25`` asks; with processes, each of its 14 cancels costs the start of a new one.)"""
HUGE = "run.19"
"""The case about values that are larger than what some HTTP servers take, which ``test_healthy``
runs with every server. What a runner is handed is 6 MiB with run.08."""


def in_parts(count: int) -> pytest.MarkDecorator:
    """Return a mark that gives ``ids`` the ids of a part of the cases, in each of ``count``
    tests."""
    chosen = parts(WORKER_CASES, count)
    return pytest.mark.parametrize("ids", chosen, ids=lambda ids: f"{ids[0]}-and-others")


@pytest.fixture(scope="module")
def processes(wove_http_ca: CertificateAuthority) -> Iterator[HttpWorker]:
    """A worker that all parts share, with as many processes as a case uses at a time."""
    with HttpWorker(ca=wove_http_ca, runner="processes", workers=MANY, tls=False) as worker:
        yield worker


LEFT_BEHIND = "limits.07"
"""The case about what runs leave in their process. With processes, its cancels cost the starts of
twenty; what bodies leave there, ``tests/runners/test_task_child.py`` asks."""


@in_parts(3)
def test_processes(processes: HttpWorker, ids: list[str]) -> None:
    """With ``runner="processes"`` it passes every case that reaches the runner, including SHOULDs,
    but the one about what runs leave in their process."""
    results = check(
        processes.url,
        *ids,
        exclude=(*BEFORE_THE_BODY, HUGE, LEFT_BEHIND),
        jobs=JOBS,
        secret=str(processes.secret),
    )
    assert failures(results) == []


@in_parts(2)
def test_executor(make_worker: MakeWorker, ids: list[str]) -> None:
    """With an executor it passes every case that reaches the runner, but these SHOULDs."""
    with pool() as executor:
        worker = make_worker(runner=executor, tls=False)
        results = check(
            worker.url,
            *ids,
            exclude=(*STOPS, *BEFORE_THE_BODY, HUGE),
            jobs=JOBS,
            secret=str(worker.secret),
        )
        worker.stop()  # before its executor is closed
    assert failures(results) == []


@pytest.mark.filterwarnings("default")  # Dask's own, in other threads too
@in_parts(2)
def test_dask(make_worker: MakeWorker, ids: list[str]) -> None:
    """On a Dask cluster it passes every case that reaches the runner, but the same SHOULDs."""
    pytest.importorskip("distributed", reason="Dask is not installed: tox -e dask")
    worker = make_worker(runner="dask", workers=MANY, tls=False)
    results = check(
        worker.url,
        *ids,
        exclude=(*STOPS, *BEFORE_THE_BODY, HUGE),
        jobs=JOBS,
        secret=str(worker.secret),
    )
    assert failures(results) == []


BEFORE_UPSTREAM = (*BEFORE_THE_BODY, LEFT_BEHIND)
"""Those cases, and the one about the process of the worker in front."""
OF_EACH_SERVER = ("cancel.*", "concurrency.*", "run.07", "limits.0[45]", "transport.0[389]")
"""Cases about requests that reach a server at once, one after the other, large or cut off. What the
others ask for, all reference workers do in ``worker_core``, and ``test_healthy`` checks what each
server sends of it, so that the others are forwarded to one, over plain http: what is forwarded is
the same bytes."""
BEHIND = [
    ("stdlib", "https", OF_EACH_SERVER, ()),
    ("stdlib", "http", (), OF_EACH_SERVER),
    ("flask", "http", OF_EACH_SERVER, ()),
    ("fastapi", "http", OF_EACH_SERVER, ()),
]


@pytest.mark.parametrize(
    ("name", "scheme", "globs", "others"),
    BEHIND,
    ids=[f"{name}-{scheme}" for name, scheme, *_ in BEHIND],
)
def test_before_a_reference_worker(
    make_worker: MakeWorker,
    wove_http_ca: CertificateAuthority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    scheme: str,
    globs: tuple[str, ...],
    others: tuple[str, ...],
) -> None:
    """With ``upstream=``, in front of each reference worker, it passes the cases that reach the
    server of that one, including SHOULDs."""
    for module in references.NEEDS[name]:
        pytest.importorskip(module)
    monkeypatch.setenv("WOVE_WORKER_SECRET", "the secret of a reference worker")
    port = free_port()
    tls: tuple[object, ...] = ()
    if scheme == "https":
        cert, key = references.certificate(wove_http_ca, tmp_path)
        tls = ("--cert", cert, "--key", key)
    with ServiceCommand(references.command(name, port, *tls), "localhost", port):
        worker = make_worker(
            tls=False,
            upstream=f"{scheme}://localhost:{port}/wove/tasks",
            upstream_security="env:WOVE_WORKER_SECRET",
            upstream_ca_file=wove_http_ca.cert_file if tls else None,
        )
        results = check(
            worker.url,
            *globs,
            exclude=(*BEFORE_UPSTREAM, *others),
            jobs=JOBS,
            secret=str(worker.secret),
        )
        worker.stop()
    assert failures(results) == []
