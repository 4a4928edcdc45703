"""The pytest plugin: options, markers, fixtures and the report section of a failing test.

It is loaded in every pytest run where the package is installed, so it imports nothing heavy until a
fixture is used.
"""

import importlib
import sys
from importlib.machinery import PathFinder
from typing import Any

PLUGIN = "wove_http_dev.pytest_plugin.plugin"


class PlainImports:
    """A finder that imports this package as Python does, without pytest's rewriting of assertions.

    pytest sends every module of a distribution with a plugin through that, at two to eight times
    the price: pytest 9 hashes the source, and reads the code from a file object by object. The
    modules have no assertion whose operands the author of a test would want to see.
    """

    @staticmethod
    def find_spec(name: str, path: Any = None, target: object = None) -> Any:
        """Find a module of this package, unless it has tests."""
        if name.startswith("wove_http_dev.") and ".test_" not in name:
            return PathFinder.find_spec(name, path)
        return None


def pytest_addoption(pluginmanager: Any) -> None:
    """Register the plugin, unless it is, or is blocked. For a ``pytest_plugins`` here, pytest would
    read the metadata of every installed distribution once more."""
    if not pluginmanager.has_plugin(PLUGIN) and not pluginmanager.is_blocked(__name__):
        if PlainImports not in sys.meta_path:
            sys.meta_path.insert(0, PlainImports)
            # Not in pytest_configure(), which is not called if the command line is wrong.
            pluginmanager.get_plugin("pytestconfig").add_cleanup(restore_imports)
        pluginmanager.register(importlib.import_module(PLUGIN), PLUGIN)


def restore_imports() -> None:
    """Leave imports as they were before the plugin."""
    if PlainImports in sys.meta_path:
        sys.meta_path.remove(PlainImports)
