"""The limits of a connection."""

from __future__ import annotations

from wove_http_dev.service.limits import Limits


def test_limits_of_a_crowd() -> None:
    """When half of the connection limit is in use, a new connection has less time."""
    limits = Limits(connections=4, crowded=1.0)
    assert (limits.beside(1).head, limits.beside(2).head) == (10.0, 1.0)
