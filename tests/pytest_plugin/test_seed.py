"""``--wove-http-seed``: random decisions that can be repeated."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import decisions


def test_another_seed_decides_otherwise(pytester: pytest.Pytester) -> None:
    """Another seed makes other decisions."""
    one = decisions(pytester, "--wove-http-seed=7")
    assert one != decisions(pytester, "--wove-http-seed=8")
