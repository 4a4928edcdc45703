"""Services that the cases about bodies above a limit must not accuse."""

from __future__ import annotations

from tests.conformance.worker.checks import check, failures
from tests.conformance.worker.defects.transport import ReadsChunks
from tests.conformance.worker.plain_worker import SECRET, Handler, PlainWorker

CASES = ("limits.12", "limits.13", "transport.22")


class WaitsForTheBody(PlainWorker):
    """A worker that refuses a large body only when it has come."""

    def refuse_large(self, handler: Handler) -> None:
        handler.close_connection = True
        handler.rfile.read(1)


def test_a_service_that_waits_for_the_body_is_not_accused() -> None:
    with WaitsForTheBody() as worker:
        assert failures(check(worker.url, *CASES, secret=SECRET)) == []


def test_a_service_that_answers_too_late_is_not_accused() -> None:
    """The wait for an answer may end before it comes, on a busy machine."""
    with ReadsChunks() as worker:
        assert failures(check(worker.url, *CASES, secret=SECRET, silence=0.0)) == []
