"""Fixtures for the tests of the control API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.inspector.calls import Calls, inspector
from wove_http_dev.worker import HttpWorker


@pytest.fixture
def api(wove_http_worker: HttpWorker) -> Iterator[Calls]:
    """The API of a worker to which Wove's environment ``workers`` points."""
    with inspector(wove_http_worker) as served:
        yield Calls(wove_http_worker, served.port)
