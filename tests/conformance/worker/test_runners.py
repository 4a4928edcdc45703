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


BEFORE_THE_BODY = ("auth.*", "limits.0[16]")
"""Cases about what the service does before it has a body to run, which is the same with every
runner: ``test_healthy`` runs them."""


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


@in_parts(3)
def test_processes(processes: HttpWorker, ids: list[str]) -> None:
    """With ``runner="processes"`` it passes every case that reaches the runner, including
    SHOULDs."""
    results = check(
        processes.url, *ids, exclude=BEFORE_THE_BODY, jobs=JOBS, secret=str(processes.secret)
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
            exclude=(*STOPS, *BEFORE_THE_BODY),
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
        exclude=(*STOPS, *BEFORE_THE_BODY),
        jobs=JOBS,
        secret=str(worker.secret),
    )
    assert failures(results) == []


BEFORE_UPSTREAM = (*BEFORE_THE_BODY, "limits.07")
"""Those cases, and the one about the process of the worker in front."""
OF_THE_CORE = ("frames.*", "errors.*")
"""Cases about what is in the answers. Those of all reference workers are made by ``worker_core``,
and ``test_healthy`` checks what each server sends of them, so they are forwarded from one."""


@pytest.fixture(
    scope="module",
    params=[("stdlib", "https"), ("flask", "http"), ("fastapi", "http")],
    ids=lambda param: "-".join(param),
)
def upstream(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    wove_http_ca: CertificateAuthority,
) -> Iterator[tuple[str, dict[str, object]]]:
    """A reference worker that runs: its name, and the options of a worker in front of it. The parts
    of a check share it, because to start one takes as much as a quarter of the check."""
    name, scheme = request.param
    for module in references.NEEDS[name]:
        pytest.importorskip(module)
    port = free_port()
    tls: tuple[object, ...] = ()
    if scheme == "https":
        cert, key = references.certificate(wove_http_ca, tmp_path_factory.mktemp("upstream"))
        tls = ("--cert", cert, "--key", key)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WOVE_WORKER_SECRET", "the secret of a reference worker")
        with ServiceCommand(references.command(name, port, *tls), "localhost", port):
            options: dict[str, object] = {
                "upstream": f"{scheme}://localhost:{port}/wove/tasks",
                "upstream_security": "env:WOVE_WORKER_SECRET",
                "upstream_ca_file": wove_http_ca.cert_file if tls else None,
            }
            yield name, options


@in_parts(2)
def test_before_a_reference_worker(
    make_worker: MakeWorker, upstream: tuple[str, dict[str, object]], ids: list[str]
) -> None:
    """With ``upstream=``, in front of each reference worker, it passes every case that reaches
    the server of that one, including SHOULDs."""
    name, options = upstream
    worker = make_worker(tls=False, **options)
    others = () if name == "stdlib" else OF_THE_CORE
    results = check(
        worker.url,
        *ids,
        exclude=(*BEFORE_UPSTREAM, *others),
        jobs=JOBS,
        secret=str(worker.secret),
    )
    worker.stop()
    assert failures(results) == []
