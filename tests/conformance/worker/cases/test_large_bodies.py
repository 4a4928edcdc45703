"""Services that the cases about bodies above a limit must not accuse."""

from __future__ import annotations

import pytest

from tests.conformance.worker.checks import check, failures
from tests.conformance.worker.defects.transport import ReadsChunks
from tests.conformance.worker.plain_worker import SECRET, Handler, PlainWorker
from wove_http_dev.conformance.case import SKIPPED
from wove_http_dev.conformance.perform import perform
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.context import Session
from wove_http_dev.conformance.worker.suite import WORKER_CASES
from wove_http_dev.conformance.worker.wire import AnswerTimeout

CASES = ("limits.12", "limits.13", "limits.15", "transport.22")


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


class NotRead:
    """A connection whose other end reads nothing."""

    def send(self, *_: object) -> None:
        raise AnswerTimeout("no complete answer within 1 s")

    def close(self) -> None:
        """Do nothing."""


def test_a_service_that_reads_no_more_is_not_accused(monkeypatch: pytest.MonkeyPatch) -> None:
    """limits.15 is skipped if the body could not be sent in time."""
    monkeypatch.setattr(ServiceUnderTest, "connect", lambda *_: NotRead())
    (case,) = (case for case in WORKER_CASES if case.id == "limits.15")
    result = perform(case, Session(ServiceUnderTest("http://localhost:1/", secret="s")).case)
    assert (result.status, result.actual) == (SKIPPED, "128 MiB could not be sent in time")
    assert result.sent == "POST the beginning of a request, cut off 1099511627776 bytes early"
