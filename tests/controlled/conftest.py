"""Fixtures for the tests of a worker that is steered through its control API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.controlled.helpers import controlled
from tests.inspector.calls import TOKEN, inspector
from wove_http_dev.controlled.worker import ControlledWorker
from wove_http_dev.inspector.client import ControlClient
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker


@pytest.fixture
def theirs(wove_http_ca: CertificateAuthority) -> Iterator[HttpWorker]:
    """The worker of a ``serve``, in this process."""
    with HttpWorker(ca=wove_http_ca, inspected=True) as worker:
        yield worker


@pytest.fixture
def client(theirs: HttpWorker) -> Iterator[ControlClient]:
    """The control API of ``theirs``."""
    with inspector(theirs) as served:
        yield ControlClient(f"http://127.0.0.1:{served.port}", TOKEN)


@pytest.fixture
def worker(theirs: HttpWorker, client: ControlClient) -> Iterator[ControlledWorker]:
    """``theirs`` as a test sees it through the control API; Wove is configured for it."""
    with controlled(client, theirs) as worker, worker.configured():
        yield worker
