"""What the installed executor makes of every fault is what the behaviour table says."""

from __future__ import annotations

import pytest

from wove_http_dev import FAULTS, measurement
from wove_http_dev.tls import CertificateAuthority


@pytest.mark.parametrize("name", FAULTS)
def test_the_executor_behaves_as_recorded(name: str, wove_http_ca: CertificateAuthority) -> None:
    """A fault's outcome, error, bound and what the worker received match the table."""
    _, found = measurement.compare_fault(FAULTS[name], wove_http_ca, measurement.recorded())
    assert found == []


def test_the_table_has_a_row_for_every_fault() -> None:
    """The table lists exactly the catalogue."""
    assert list(measurement.recorded()) == list(FAULTS)


def test_a_row_that_differs_is_measured_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that differs once, as after a pause of the machine, is not a difference; one that
    differs twice is."""
    rows = iter([{"outcome": "paused"}, {"outcome": "result"}] + [{"outcome": "error"}] * 2)
    monkeypatch.setattr(measurement, "measure_fault", lambda kind, ca: next(rows))
    with CertificateAuthority() as ca:
        counts = [
            len(measurement.compare_fault(FAULTS["hang"], ca, {"hang": {"outcome": "result"}})[1])
            for _ in range(2)
        ]
    assert counts == [0, 1]


def test_a_difference_is_named() -> None:
    """A difference is reported with both values."""
    table = {"hang": {"outcome": "error"}}
    assert measurement.differences("hang", {"outcome": "result"}, table) == [
        "hang: outcome: measured 'result', recorded 'error'"
    ]


def test_a_row_of_another_python_is_applied() -> None:
    """Python 3.10 raises a remote TimeoutError where newer ones cancel."""
    assert measurement.recorded((3, 10))["timeout-exception"]["type"] == "TimeoutError"
