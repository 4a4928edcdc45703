"""Fixtures for the tests of runners."""

from __future__ import annotations

import pytest

from tests.run_records import SECRET
from wove_http_dev.runs.journal import Journal


@pytest.fixture
def journal() -> Journal:
    """A journal with a secret, as that of ``serve``."""
    return Journal(secrets=[SECRET], inspected=True)
