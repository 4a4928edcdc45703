"""An application that handles everything has no failing verdict, whatever the fault."""

from __future__ import annotations

import importlib.metadata

import pytest

from tests.survival import shop
from tests.survival.driver import Check, Tried, options_of, parsed
from wove_http_dev.faults import FAULTS
from wove_http_dev.survival.verdicts import FAILING, judge
from wove_http_dev.tls import CertificateAuthority

QUICK = {
    "slow-response": "slow-response delay=0.01",
    "slow-body": "slow-body interval=0.001",
    "oversized-body": "oversized-body size=65536",
    "foreign-run": "foreign-run wait=0.05",
}
"""Faults that would take long, and show the same in less time."""


PARTS = 4


@pytest.mark.parametrize("first_fault", range(PARTS))
@pytest.mark.parametrize("check", shop.CHECKS)
def test_every_fault(wove_http_ca: CertificateAuthority, check: Check, first_fault: int) -> None:
    """A weave of the application with each fault of a part of the catalogue is green."""
    wove = importlib.metadata.version("wove")
    first = Tried(wove_http_ca, check)
    assert first.error is None
    clean = first.observation
    cells = {}
    for name in list(FAULTS)[first_fault::PARTS]:
        fault = parsed(QUICK.get(name, name))
        run = Tried(wove_http_ca, check, fault=fault, clean=clean, **options_of(fault))
        cells[name] = judge(fault, run.observation, clean, run.error, wove)
    assert {name: cell for name, cell in cells.items() if cell.verdict in FAILING} == {}
