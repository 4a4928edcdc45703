"""A worker in front of a worker service of another author."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

from tests.conformance.worker import references
from tests.runners.upstreams import SECRET
from tests.support import (
    TIMEOUT,
    MakeWorker,
    cancel_frame,
    free_port,
    run_frame,
    signed_request,
    weave_one,
)
from wove_http_dev.conformance.service_process import ServiceCommand
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker


@pytest.fixture(scope="module")
def reference(
    wove_http_ca: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of ``examples/worker_stdlib.py``, whose secret is in ``WOVE_WORKER_SECRET``."""
    port = free_port()
    certificate = references.certificate(wove_http_ca, tmp_path_factory.mktemp("reference"))
    words = zip(("--cert", "--key"), certificate, strict=True)
    command = references.command("stdlib", port, *chain.from_iterable(words))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WOVE_WORKER_SECRET", SECRET)
        with ServiceCommand(command, "localhost", port):
            yield f"https://localhost:{port}/wove/tasks"


@pytest.fixture
def before_reference(
    make_worker: MakeWorker, wove_http_ca: CertificateAuthority, reference: str
) -> HttpWorker:
    """A worker in front of it."""
    return make_worker(
        upstream=reference,
        upstream_security={"type": "signed", "secret": SECRET},
        upstream_ca_file=wove_http_ca.cert_file,
    )


def test_result_of_the_reference_worker(before_reference: HttpWorker) -> None:
    """A weave gets the result of the reference worker."""
    with before_reference.configured():
        assert weave_one((1, 2)) == (1, 2)


def test_exception_of_the_reference_worker(before_reference: HttpWorker) -> None:
    """A weave gets the exception of the reference worker."""

    def fails() -> None:  # sent by value: that worker cannot import this module
        raise ValueError("no")

    with before_reference.configured(), pytest.raises(ValueError, match="no"):
        weave_one(fails)


def test_connection_to_the_reference_worker_is_kept(before_reference: HttpWorker) -> None:
    """A second weave uses the connection of the first, also with TLS."""
    for _ in range(2):
        signed_request(before_reference, run_frame(str.upper, {}))
    assert [each.upstream[0].reused for each in before_reference.exchanges] == [False, True]


def test_cancel_at_the_reference_worker(
    before_reference: HttpWorker, pool: ThreadPoolExecutor
) -> None:
    """A cancel ends an async task there, and the run is answered as it answers it."""

    async def endless() -> None:
        import asyncio

        await asyncio.Event().wait()

    run = pool.submit(signed_request, before_reference, run_frame(endless, run_id="run-1"))
    before_reference.wait_for("task", state="running")
    while not run.done():  # a cancel that comes before its run was read finds nothing to cancel
        signed_request(before_reference, cancel_frame("run-1", mode="require_ack"))
    assert run.result(TIMEOUT).terminal == "task_cancelled"
