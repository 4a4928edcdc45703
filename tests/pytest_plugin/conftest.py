"""Fixtures of the plugin's tests."""

from __future__ import annotations

import importlib.metadata

import pytest

from tests.pytest_plugin.helpers import HELPER, INI, plugins_in_process


@pytest.fixture(autouse=True)
def helper(pytester: pytest.Pytester) -> None:
    """The module that the tests in the test runs import, and an ini file."""
    pytester.makepyfile(helper=HELPER)
    pytester.makeini(INI)


@pytest.fixture(autouse=True)
def few_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process find only the plugins that they load."""
    plugins = plugins_in_process()
    monkeypatch.setattr(importlib.metadata, "distributions", lambda **_: plugins)
