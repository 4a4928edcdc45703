"""Fixtures for the tests of isolated workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wove_http_dev import CertificateAuthority, HttpWorker


@pytest.fixture
def isolated(wove_http_ca: CertificateAuthority) -> Iterator[HttpWorker]:
    """A running isolated worker, configured in Wove."""
    with HttpWorker(ca=wove_http_ca, isolated=True) as worker, worker.configured():
        yield worker


@pytest.fixture(scope="module")
def lasting_worker(wove_http_ca: CertificateAuthority) -> Iterator[HttpWorker]:
    """One running isolated worker, for ``shared``."""
    with HttpWorker(ca=wove_http_ca, isolated=True) as worker:
        yield worker


@pytest.fixture
def shared(lasting_worker: HttpWorker) -> Iterator[HttpWorker]:
    """Like ``isolated``, for tests that leave its process as it is: it is reset, not started."""
    lasting_worker.reset()
    with lasting_worker.configured():
        yield lasting_worker
