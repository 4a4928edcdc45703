"""Fixtures for the tests of runners."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.run_records import SECRET
from wove_http_dev.runners.processes import ProcessRunner
from wove_http_dev.runs.journal import Journal


@pytest.fixture
def journal() -> Journal:
    """A journal with a secret, as that of ``serve``."""
    return Journal(secrets=[SECRET], inspected=True)


@pytest.fixture(scope="module")
def single() -> Iterator[ProcessRunner]:
    """A runner with one process."""
    runner = ProcessRunner(1)
    runner.start()
    yield runner
    runner.stop()
