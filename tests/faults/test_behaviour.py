"""What the installed executor makes of every fault is what the behaviour table says."""

from __future__ import annotations

import pytest

from wove_http_dev import FAULTS, measure
from wove_http_dev.certs import CertificateAuthority


@pytest.mark.parametrize("name", FAULTS)
def test_the_executor_behaves_as_recorded(name: str, wove_http_ca: CertificateAuthority) -> None:
    """A fault's outcome, error, bound and what the worker received match the table."""
    row = measure.measure_fault(FAULTS[name], wove_http_ca)
    assert measure.differences(name, row, measure.recorded()) == []


def test_the_table_has_a_row_for_every_fault() -> None:
    """The table lists exactly the catalogue."""
    assert list(measure.recorded()) == list(FAULTS)


def test_a_difference_is_named() -> None:
    """A measured row that differs is told with both values."""
    table = {"hang": {"outcome": "error"}}
    assert measure.differences("hang", {"outcome": "result"}, table) == [
        "hang: outcome: measured 'result', recorded 'error'"
    ]


def test_a_row_of_another_python_is_applied() -> None:
    """Python 3.10 raises a remote TimeoutError where newer ones cancel."""
    assert measure.recorded((3, 10))["timeout-exception"]["type"] == "TimeoutError"
