"""Each fault has the effect in front of an upstream service that it has where bodies run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.runners.upstreams import options_in_front_of
from wove_http_dev import measurement
from wove_http_dev.faults import FAULTS
from wove_http_dev.faults.behaviour import DELIVERY_TIMEOUT, Row, recorded
from wove_http_dev.runs.holds import Gate
from wove_http_dev.runs.records import RunLog
from wove_http_dev.tls import CertificateAuthority
from wove_http_dev.worker import HttpWorker

SHORT = 0.4
"""Seconds after which the client gives up, where that is the effect of a fault."""


@pytest.fixture(scope="module")
def upstream(wove_http_ca: CertificateAuthority) -> Iterator[HttpWorker]:
    """The worker service behind the workers of all these tests."""
    with HttpWorker(ca=wove_http_ca, environment="upstream") as worker:
        yield worker


class Front(HttpWorker):
    """A worker in front of ``behind``, of which the measurement holds and counts the tasks."""

    def __init__(self, behind: HttpWorker, **options: Any) -> None:
        super().__init__(**options_in_front_of(behind), **options)
        self._behind = behind

    @property
    def runs(self) -> RunLog:
        """The runs of upstream that came through here. (Those of an earlier front may arrive late,
        where a busy machine let its client give up.)"""
        forwarded = {run.run_id for run in super().runs}
        return RunLog([run for run in self._behind.runs if run.run_id in forwarded])

    def hold(self, *words: Any, **options: Any) -> Gate:
        """Hold the task at upstream, so that a cancel is forwarded."""
        return self._behind.hold(*words, **options)

    def reset(self) -> None:
        """Reset both."""
        self._behind.reset()
        super().reset()


def expected(name: str, delivery_timeout: float) -> Row:
    """The recorded row, for a client with another ``delivery_timeout``."""
    row = recorded()[name]
    if "message" in row:
        message = row["message"].replace(f"({DELIVERY_TIMEOUT}s)", f"({delivery_timeout}s)")
        row["message"] = message
    return row


@pytest.mark.parametrize("name", FAULTS)
def test_fault(
    name: str,
    upstream: HttpWorker,
    wove_http_ca: CertificateAuthority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The client's outcome, and how often upstream ran the task, are as recorded."""
    kind = FAULTS[name]
    patient = measurement.PATIENT
    limits = (patient, SHORT) if kind.stage == "events" and kind.stalls else (SHORT, patient)
    monkeypatch.setattr(measurement.measure_fault, "__defaults__", limits)
    monkeypatch.setattr(measurement, "HttpWorker", partial(Front, upstream))
    row = expected(name, limits[1])
    _, found = measurement.compare_fault(kind, wove_http_ca, {name: row})
    assert found == []
