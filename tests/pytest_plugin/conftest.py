"""Fixtures of the plugin's tests."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import HELPER


@pytest.fixture(autouse=True)
def helper(pytester: pytest.Pytester) -> None:
    """What the tests in the test runs share."""
    pytester.makepyfile(helper=HELPER)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
