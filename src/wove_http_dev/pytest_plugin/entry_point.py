"""The module that pytest loads by itself: it registers the plugin under the plugin's module name.

pytest refuses to register one module under two names. So the entry point ``wove_http_dev`` is not
the plugin itself, and a conftest's ``pytest_plugins`` or ``-p`` may name the plugin beside it.
"""

from __future__ import annotations

import pytest

PLUGIN = "wove_http_dev.pytest_plugin"


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the plugin, unless it is, or is blocked. For a ``pytest_plugins`` here, pytest would
    read the metadata of every installed distribution once more."""
    if not pluginmanager.has_plugin(PLUGIN) and not pluginmanager.is_blocked(PLUGIN):
        import wove_http_dev.pytest_plugin

        pluginmanager.register(wove_http_dev.pytest_plugin, PLUGIN)
