"""Helpers for the tests of the service."""

from __future__ import annotations

import time

import pytest

from tests.support import HttpResponse, answer, run_frame, signed_request
from wove_http_dev.service import host
from wove_http_dev.service.limits import Limits
from wove_http_dev.worker import HttpWorker

both = pytest.mark.parametrize("tls", [True, False], ids=["https", "http"])


PATIENT = Limits(handshake=120.0, head=120.0, idle=120.0)
"""For a worker of `stops_at_once`."""


def stops_at_once(worker: HttpWorker) -> bool:
    """Stop ``worker``, whose limits are `PATIENT`; return whether it waited for none of its
    clients."""
    begin = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:  # 0.5 s is too near to what a busy machine takes
        patch.setattr(host, "REPLY_GRACE", 120.0)
        worker.stop()
    return time.monotonic() - begin < 60.0


def served(worker: HttpWorker) -> HttpResponse:
    """The response to an ordinary task."""
    return signed_request(worker, run_frame(answer))
