"""A worker service, and a worker in front of it."""

from __future__ import annotations

import pytest

from tests.runners.upstreams import in_front_of
from tests.support import MakeWorker
from wove_http_dev.worker import HttpWorker


@pytest.fixture
def upstream(make_worker: MakeWorker) -> HttpWorker:
    """The worker service that runs the tasks."""
    return make_worker(environment="upstream")


@pytest.fixture
def front(make_worker: MakeWorker, upstream: HttpWorker) -> HttpWorker:
    """The worker in front of it, not configured in Wove."""
    return in_front_of(make_worker, upstream)
