"""The project's own test configuration."""

from __future__ import annotations

import importlib.metadata
from contextlib import suppress

import pytest

pytest_plugins = ["pytester"]
DEFAULTS = {"asyncio_mode": "strict", "asyncio_default_fixture_loop_scope": "function"}
"""Valid values: pytest reads this file also for ``--pyargs wove_http_dev.…`` in another project, if
the package is an editable installation, and may take this declaration for pytest-asyncio's own."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Know the options of pytest-asyncio 0.24 and newer also under an older one, and without it, so
    that an example runs in a checkout where only the package is installed."""
    for name, default in DEFAULTS.items():
        with suppress(ValueError):  # it is there already
            parser.addini(name, "an option of pytest-asyncio 0.24", default=default)


def pytest_configure(config: pytest.Config) -> None:
    """pytest-asyncio 0.23, the last for pytest 7, leaves an event loop unclosed, and has a hook of
    the old style, at which pluggy warns of an error of collection before it reports the error."""
    try:
        version = importlib.metadata.version("pytest-asyncio")
    except importlib.metadata.PackageNotFoundError:
        return
    if version.startswith("0.23."):
        config.addinivalue_line("filterwarnings", "ignore::pluggy.PluggyTeardownRaisedWarning")
        for what in ("socket.socket fd=-1, family=(AddressFamily.AF_UNIX|1)", "function BaseEv"):
            config.addinivalue_line(
                "filterwarnings",
                f"ignore:Exception ignored in. <{what}:pytest.PytestUnraisableExceptionWarning",
            )
