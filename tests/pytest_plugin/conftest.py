"""Fixtures of the plugin's tests."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import HELPER


@pytest.fixture(autouse=True)
def helper(pytester: pytest.Pytester) -> None:
    """The module that the tests in the test runs import."""
    pytester.makepyfile(helper=HELPER)
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
