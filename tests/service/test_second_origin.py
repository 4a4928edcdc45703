"""The second origin of a redirect, whose requests are recorded on the injection that sent the
client there."""

from __future__ import annotations

import gc
import json
import threading
import urllib.parse
import urllib.request
import weakref
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.support import request_bytes, send_one, weave_one
from wove_http_dev import CertificateAuthority, Fault, HttpWorker
from wove_http_dev.faults.fault import ResponseStage
from wove_http_dev.faults.injections import Injection
from wove_http_dev.protocol.messages import Reply
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory


@dataclass(frozen=True)
class Detour(Fault):
    """Redirects a client to the second origin, as the catalogue's redirect does."""

    stage: ClassVar[str] = "response"

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        return Reply(status=303, headers=[("Location", stage.second_origin())])


def counts(*injections: Injection) -> list[int]:
    """The number of requests that each injection has recorded."""
    return [len(injection.redirected) for injection in injections]


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
def test_a_fault_that_a_user_defines(wove_http_ca: CertificateAuthority, isolated: bool) -> None:
    """The injection of a user's fault records the requests, even if the worker is in another
    process."""
    with HttpWorker(ca=wove_http_ca, isolated=isolated) as worker, worker.configured():
        injection = worker.inject(Detour())
        weave_one()
        assert counts(injection) == [1]


@pytest.mark.parametrize("isolated", [False, True], ids=["in-process", "isolated"])
def test_two_injections(wove_http_ca: CertificateAuthority, isolated: bool) -> None:
    """A request is recorded once, on the injection of the fault that sent it."""
    with HttpWorker(ca=wove_http_ca, isolated=isolated) as worker, worker.configured():
        first, second = worker.inject("redirect times=1"), worker.inject("redirect code=303")
        for _ in range(3):
            weave_one()
        assert counts(first, second) == [1, 2]


def test_an_injection_that_was_reset(wove_http_worker: HttpWorker) -> None:
    """After a reset, a new injection with the same number records only its own requests."""
    before = wove_http_worker.inject("redirect")
    weave_one()
    wove_http_worker.reset()
    after = wove_http_worker.inject("redirect")
    weave_one()
    assert counts(before, after) == [1, 1]


def test_the_run_is_in_the_query(wove_http_worker: HttpWorker) -> None:
    """The URL names the run, which a redirected request itself does not."""
    injection = wove_http_worker.inject("redirect")
    weave_one()
    run_id = wove_http_worker.runs.last.run_id
    assert injection.redirected[0].target.endswith("?run_id=" + run_id.replace(":", "%3A"))


def location_of(worker: HttpWorker, run_id: str) -> urllib.parse.SplitResult:
    """Where a request without credentials, for the run ``run_id``, is redirected to."""
    frame = json.dumps({"type": "run_task", "task_id": "t", "run_id": run_id}).encode()
    return urllib.parse.urlsplit(send_one(worker, request_bytes({}, frame)).headers["location"])


def test_a_path_cannot_be_guessed(wove_http_worker_factory: WorkerFactory) -> None:
    """A request with the number of an injection in its path is recorded on none."""
    worker = wove_http_worker_factory(tls=False, security="none")
    injection = worker.inject("redirect")
    port = location_of(worker, "r").port
    for number in range(3):
        urllib.request.urlopen(f"http://localhost:{port}/elsewhere/{number}?run_id=r").close()
    assert counts(injection) == [0]


def test_a_run_id_with_a_lone_surrogate(wove_http_worker_factory: WorkerFactory) -> None:
    """A run id that UTF-8 cannot encode does not stop a redirect."""
    worker = wove_http_worker_factory(tls=False, strict=False)
    worker.inject("redirect")
    assert location_of(worker, "a\ud800b").query == "run_id=a%3Fb"


def test_a_long_run_id(wove_http_worker_factory: WorkerFactory) -> None:
    """A long run id is cut in the URL."""
    worker = wove_http_worker_factory(tls=False, strict=False)
    worker.inject("redirect")
    assert location_of(worker, "x" * 100_000).query == "run_id=" + "x" * 1000


def test_an_injection_that_was_reset_is_let_go(wove_http_worker: HttpWorker) -> None:
    """After a reset the second origin keeps neither the injection nor the requests."""
    reference = weakref.ref(wove_http_worker.inject("redirect"))
    weave_one()
    wove_http_worker.reset()
    for _ in range(1000):  # the client has its reply before the connection's thread has let go
        gc.collect()
        if reference() is None:
            break
        threading.Event().wait(0.01)
    assert reference() is None
