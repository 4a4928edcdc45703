"""Helpers for the tests of the service."""

from __future__ import annotations

import pytest

from tests.support import HttpResponse, answer, run_frame, signed_request
from wove_http_dev.worker import HttpWorker

both = pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])


def served(worker: HttpWorker) -> HttpResponse:
    """The response to an ordinary task."""
    return signed_request(worker, run_frame(answer))
