"""The list of all worker cases."""

from __future__ import annotations

from tests.conformance.numbering import gaps, repeated
from wove_http_dev.conformance.worker.suite import WORKER_CASES


def test_ids_are_unique() -> None:
    """No number and no name is given twice in a family."""
    assert repeated(WORKER_CASES) == []


def test_numbers_have_no_gaps() -> None:
    """So the next free number is the count of a family's cases plus one."""
    assert gaps(WORKER_CASES) == {}
