"""The fault that records every request with its body."""

from __future__ import annotations

from tests.support import run_frame, signed_request
from wove_http_dev.conformance.executor.request_recorder import RequestRecorder
from wove_http_dev.worker import HttpWorker


def test_a_request_is_kept_with_its_body(worker: HttpWorker) -> None:
    """Requests are recorded with the body that was sent."""
    recorder, frame = RequestRecorder(), run_frame(int)
    worker.inject(recorder)
    signed_request(worker, frame)
    assert [request.body for request in recorder.requests] == [frame]


def test_the_request_is_answered_as_usual(worker: HttpWorker) -> None:
    """A recorded request gets the worker's usual answer."""
    worker.inject(RequestRecorder())
    assert signed_request(worker, run_frame(int)).result == 0


def test_its_text_has_no_request() -> None:
    """The fault's text shows no request, because a request has a body and credentials."""
    assert str(RequestRecorder()) == RequestRecorder.name
