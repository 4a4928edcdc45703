"""The constants in `sources`, which the worker cases cite."""

from __future__ import annotations

import pytest

from wove_http_dev.conformance.worker import sources
from wove_http_dev.conformance.worker.suite import WORKER_CASES

SOURCES = {name: value for name, value in vars(sources).items() if name.isupper()}


@pytest.mark.parametrize("name", SOURCES)
def test_is_cited(name: str) -> None:
    """Each source is cited by at least one case."""
    assert any(SOURCES[name] in case.source for case in WORKER_CASES)
