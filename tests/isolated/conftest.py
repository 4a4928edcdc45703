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
