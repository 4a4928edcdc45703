"""What `routing.14` takes for an effect of a frame for another run."""

from __future__ import annotations

import http.client

from tests.conformance.executor.checks import check, failed
from tests.conformance.executor.conforming_executor import ConformingExecutor
from wove_http_dev.conformance.executor.executor_under_test import ExecutorUnderTest


class QuotesBodies(ConformingExecutor):
    """Its errors for other statuses than 2xx quote what was answered, frames of other runs too."""

    def _answer(self, response: http.client.HTTPResponse) -> bytes:
        if 200 <= response.status < 300:
            return super()._answer(response)
        raise ValueError(f"HTTP {response.status}: {response.read().decode()}")


def test_an_error_that_quotes_a_frame_is_none() -> None:
    """An error of the executor's own that quotes the body of an answer is no effect."""
    subject = ExecutorUnderTest(QuotesBodies.__name__, QuotesBodies)
    assert failed(check(subject, "routing.14")) == {}
