"""The behaviour table matches a measurement of every fault with the installed Wove."""

from __future__ import annotations

import pytest

from wove_http_dev import measurement
from wove_http_dev.faults import FAULTS
from wove_http_dev.faults.behaviour import recorded
from wove_http_dev.tls import CertificateAuthority


@pytest.mark.parametrize("name", FAULTS)
def test_the_executor_behaves_as_recorded(name: str, wove_http_ca: CertificateAuthority) -> None:
    """A fault's outcome, error, bound and what the worker received match the table."""
    _, found = measurement.compare_fault(FAULTS[name], wove_http_ca, recorded())
    assert found == []


def test_a_fault_that_answers_is_waited_for(
    wove_http_ca: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that gave up too early, as on a busy machine, waits longer the second time."""
    monkeypatch.setattr(measurement.measure_fault, "__defaults__", (0.001, 0.001))
    _, found = measurement.compare_fault(FAULTS["status"], wove_http_ca, recorded())
    assert found == []


def test_an_end_of_file_in_the_handshake_has_one_name() -> None:
    """What Debian 12's Python says of it is recorded as what others say."""
    debian = "TLS/SSL connection has been closed (EOF) (_ssl.c:992)"
    others = (
        "[SSL: UNEXPECTED_EOF_WHILE_READING] EOF occurred in violation of protocol (_ssl.c:1006)"
    )
    assert measurement.normalized(debian) == measurement.normalized(others)


def test_a_row_that_differs_is_measured_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that differs is measured again, because a pause of the machine may have changed it;
    only a second difference is reported."""
    rows = iter([{"outcome": "paused"}, {"outcome": "result"}] + [{"outcome": "error"}] * 2)
    monkeypatch.setattr(measurement, "measure_fault", lambda kind, ca, *limits: next(rows))
    with CertificateAuthority() as ca:
        counts = [
            len(measurement.compare_fault(FAULTS["hang"], ca, {"hang": {"outcome": "result"}})[1])
            for _ in range(2)
        ]
    assert counts == [0, 1]
