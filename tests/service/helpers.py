"""Helpers for the tests of the service."""

from __future__ import annotations

import time

import pytest

from tests.support import HttpResponse, answer, run_frame, signed_request
from wove_http_dev.conformance.worker.machine import measure_slowdown
from wove_http_dev.worker import HttpWorker

both = pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])

STOP_BOUND = 1.0
"""Seconds within which ``stop()`` must return on an idle machine, whatever clients do."""


def stop_seconds(worker: HttpWorker) -> float:
    """Stop ``worker``; return how many seconds that takes on an idle machine."""
    before = time.monotonic()
    worker.stop()
    return (time.monotonic() - before) / measure_slowdown()


def served(worker: HttpWorker) -> HttpResponse:
    """The response to an ordinary task."""
    return signed_request(worker, run_frame(answer))
