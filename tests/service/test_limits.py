"""The limits of a connection."""

from __future__ import annotations

from dataclasses import asdict

from wove_http_dev.service.limits import Limits


def test_limits_are_plain_values() -> None:
    """Limits can be sent to the process of an isolated worker as names and values."""
    limits = Limits(head=1.0)
    assert Limits(**asdict(limits)) == limits


def test_largest_body_fits() -> None:
    """A body of the largest size fits among the unauthenticated ones more than once."""
    assert Limits().bodies >= 2 * Limits().max_body
