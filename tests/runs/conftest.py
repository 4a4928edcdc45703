"""Fixtures for the tests of runs."""

from __future__ import annotations

import pytest

from tests.run_records import SECRET
from wove_http_dev.runs.journal import Journal


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
