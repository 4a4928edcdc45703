"""The plugin is loaded once, however many ways lead to it."""

from __future__ import annotations

import importlib.metadata
from typing import NoReturn

import pytest

from tests.pytest_plugin.helpers import run
from wove_http_dev.pytest_plugin import PLUGIN as REGISTERED
from wove_http_dev.pytest_plugin import entry_point

CONFTEST = 'pytest_plugins = ["wove_http_dev.pytest_plugin"]'
PLUGIN = ("-p", "wove_http_dev.pytest_plugin")
ENTRY_POINT = ("-p", "wove_http_dev")
USES_THE_PLUGIN = """
def test_it(wove_http_options):
    pass
"""


@pytest.mark.parametrize("conftest", ["", CONFTEST], ids=["", "conftest"])
@pytest.mark.parametrize("arguments", [(), PLUGIN, ENTRY_POINT, PLUGIN + ENTRY_POINT], ids=str)
def test_beside_autoload(
    pytester: pytest.Pytester, arguments: tuple[str, ...], conftest: str
) -> None:
    """A conftest and ``-p`` may name the plugin although pytest loads it by itself."""
    pytester.makeconftest(conftest)
    run(pytester, USES_THE_PLUGIN, *arguments).assert_outcomes(passed=1)


@pytest.mark.parametrize("arguments", [PLUGIN, ENTRY_POINT, PLUGIN + ENTRY_POINT], ids=str)
def test_without_autoload(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """Without autoload each of its names loads the plugin."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeini("[pytest]")
    run(pytester, USES_THE_PLUGIN, *arguments).assert_outcomes(passed=1)


@pytest.mark.parametrize("name", ["wove_http_dev", "wove_http_dev.pytest_plugin"])
def test_blocked(pytester: pytest.Pytester, name: str) -> None:
    """``-p no:`` with either name leaves the plugin out."""
    run(pytester, USES_THE_PLUGIN, "-p", f"no:{name}").assert_outcomes(errors=1)


def test_distributions_are_not_read_again(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry point loads the plugin without a look at every installed distribution."""

    def read() -> NoReturn:
        raise AssertionError("reads the metadata of every distribution")

    manager = pytester.parseconfig(*ENTRY_POINT[:1], f"no:{ENTRY_POINT[1]}").pluginmanager
    monkeypatch.setattr(importlib.metadata, "distributions", read)
    manager.register(entry_point, "entry_point")
    assert manager.has_plugin(REGISTERED)
