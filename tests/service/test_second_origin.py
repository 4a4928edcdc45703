"""The second origin of a redirect, whose requests are recorded on the injection that sent the
client there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.support import weave_one
from wove_http_dev import CertificateAuthority, Fault, HttpWorker
from wove_http_dev.faults.fault import ResponseStage
from wove_http_dev.faults.injections import Injection
from wove_http_dev.protocol.messages import Reply


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
