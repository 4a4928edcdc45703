"""The verdict on a run of a test with a fault."""

from __future__ import annotations

from typing import get_args

from wove_http_dev.survival.verdicts import FAILING, SHOWN, Verdict


def test_every_verdict_is_shown() -> None:
    """Each verdict has a form for a person, and the failing ones are in capitals."""
    assert set(SHOWN) == set(get_args(Verdict))
    assert [verdict for verdict in SHOWN if SHOWN[verdict].isupper()] == list(FAILING)
