"""The fault of the case about endless answers."""

from __future__ import annotations

from tests.support import cancel_frame, signed_request
from wove_http_dev.conformance.executor.cases.time.timeouts import EndlessBody
from wove_http_dev.worker import HttpWorker


def test_the_endless_answer_is_that_of_the_run(worker: HttpWorker) -> None:
    """Only the run is answered without end; a cancel_task gets an ordinary answer, whose bytes are
    not counted."""
    worker.inject(EndlessBody())
    assert len(signed_request(worker, cancel_frame("task:1")).body) < 1000
