"""The constants in `sources`, which the worker cases cite."""

from __future__ import annotations

from wove_http_dev.conformance.worker import sources
from wove_http_dev.conformance.worker.suite import WORKER_CASES

SOURCES = {name: value for name, value in vars(sources).items() if name.isupper()}


def test_is_cited() -> None:
    """Each source is cited by at least one case."""
    cited = [case.source for case in WORKER_CASES]
    assert [name for name, text in SOURCES.items() if not any(text in each for each in cited)] == []
