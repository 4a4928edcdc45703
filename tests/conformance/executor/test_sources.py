"""The sources that the executor cases cite."""

from __future__ import annotations

import pytest

from wove_http_dev.conformance.executor import sources
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES

SOURCES = {name: value for name, value in vars(sources).items() if name.isupper()}


@pytest.mark.parametrize("name", SOURCES)
def test_is_cited(name: str) -> None:
    """Every source is cited by a case."""
    assert any(SOURCES[name] in case.source for case in EXECUTOR_CASES)
