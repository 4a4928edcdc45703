"""What the server of ``tests.preloaded`` imports before its first child: pytest, Wove, and the
package as a test run imports it."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from unittest import mock

import pytest
import wove  # noqa: F401

PACKAGE = "wove_http_dev"
OF_TESTS = ("pytest_plugin.plugin", "pytest_plugin.fixtures", "worker", "first_certificate")
"""Modules of the package that each test with a worker imports."""
OF_COMMANDS = ("cli.main", "cli.serve", "cli.exec")
kept: set[str] = set()
"""The names of the modules of the package that a test run finds imported."""


def imported() -> set[str]:
    """The names of the modules of the package that are imported now."""
    return {name for name in sys.modules if name.partition(".")[0] == PACKAGE}


class _Importer:
    """A pytest plugin that imports the package, and runs no tests. pytest would warn in each test
    run of a package with a plugin that it did not import itself."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self) -> int:
        pytest.register_assert_rewrite(PACKAGE)
        plugin = importlib.import_module(f"{PACKAGE}.pytest_plugin")
        sys.meta_path.insert(0, plugin.PlainImports)
        try:
            for name in OF_TESTS:
                importlib.import_module(f"{PACKAGE}.{name}")
            kept.update(imported())
            for name in OF_COMMANDS:
                importlib.import_module(f"{PACKAGE}.{name}")
        finally:
            plugin.restore_imports()
        return 0


with mock.patch.dict(os.environ, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"):
    pytest.main(["--noconftest", "-c", os.devnull], plugins=[_Importer()])
# A test run collects garbage when it ends: it took half of its time to go through these modules.
gc.collect()
gc.freeze()
