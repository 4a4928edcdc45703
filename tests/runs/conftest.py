"""Fixtures for the tests of runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.run_records import SECRET
from tests.runs.bodies import THREADS, TIMEOUT, begun, release
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.thread_pool import ThreadPool


class Clock:
    """A clock that advances by one second on each reading."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def journal() -> Journal:
    """A journal with the default limits and a test clock."""
    return Journal(clock=Clock(), secrets=[SECRET, ""])


@pytest.fixture
def threads() -> Iterator[ThreadPool]:
    """A pool of threads for bodies of ``bodies.py``, which it releases and stops at the end."""
    begun.clear()
    release.clear()
    threads = ThreadPool(THREADS)
    yield threads
    release.set()
    threads.stop(TIMEOUT)
