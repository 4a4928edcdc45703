"""The module in which pytest finds the plugin's hooks and fixtures."""

from __future__ import annotations

import pytest

from wove_http_dev.pytest_plugin import entry_point, fixtures, hooks, plugin

NAMES = set(dir(plugin))


@pytest.mark.parametrize(("module", "prefix"), [(hooks, "pytest_"), (fixtures, "wove_http_")])
def test_has_all(module: object, prefix: str) -> None:
    """Each hook, and each fixture, of its module is there."""
    assert {name for name in vars(module) if name.startswith(prefix)} <= NAMES


def test_has_no_other_name() -> None:
    """There is nothing that pytest would look at in vain."""
    assert {name for name in NAMES if not name.startswith(("pytest_", "wove_http_"))} == set()


def test_entry_point_has_one_name() -> None:
    """Nor is there in the module that pytest loads by itself."""
    assert dir(entry_point) == ["pytest_addoption"]
