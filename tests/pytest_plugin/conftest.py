"""Fixtures of the plugin's tests."""

from __future__ import annotations

import importlib.metadata

import pytest

from tests.pytest_plugin.helpers import HELPER


@pytest.fixture(autouse=True)
def helper(pytester: pytest.Pytester) -> None:
    """The module that the tests in the test runs import, and an ini file."""
    pytester.makepyfile(helper=HELPER)
    lines = ["[pytest]"]
    # pytest-asyncio, from 0.24 on, may warn unless this is set; before, pytest warns if it is.
    if not importlib.metadata.version("pytest-asyncio").startswith("0.23."):
        lines.append("asyncio_default_fixture_loop_scope = function")
    pytester.makeini("\n".join(lines))
