"""The text of faults with the seconds that were drawn for them."""

from __future__ import annotations

import pytest

from wove_http_dev.runs.drawn import faults_text

DRIP = "slow-body drip=0..1"


@pytest.mark.parametrize(
    ("drawn", "shown"),
    [
        ({}, "slow-body, status"),
        ({DRIP: []}, f"{DRIP} → drawn for each wait, status"),
        ({DRIP: [0.12345]}, f"{DRIP} → 0.123 s, status"),
        ({DRIP: [999.9]}, f"{DRIP} → 1000 s, status"),
        ({DRIP: [123456.0]}, f"{DRIP} → 123456 s, status"),
        ({DRIP: [1.0] * 6}, f"{DRIP} → {'1 s, ' * 5}…, status"),
        (
            {DRIP: [1.0], "slow-body b=2..3": [2.0]},
            f"{DRIP} → 1 s, slow-body b=2..3 → 2 s, status",
        ),
    ],
)
def test_text(drawn: dict[str, list[float]], shown: str) -> None:
    """Faults are shown with the numbers that were drawn for them."""
    assert faults_text(["slow-body", "status"], drawn) == shown
