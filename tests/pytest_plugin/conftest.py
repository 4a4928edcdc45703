"""Fixtures of the plugin's tests."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.helpers import HELPER, INI


@pytest.fixture(autouse=True)
def helper(pytester: pytest.Pytester) -> None:
    """The module that the tests in the test runs import, and an ini file."""
    pytester.makepyfile(helper=HELPER)
    pytester.makeini(INI)
