"""The package's modules are imported without pytest's rewriting of assertions."""

from __future__ import annotations

import sys

import pytest

from tests.pytest_plugin.helpers import without_others
from wove_http_dev import pytest_plugin
from wove_http_dev.pytest_plugin import PlainImports

LOADERS = """
import importlib
import sys

import pytest

@pytest.mark.parametrize("name", ["worker", "tls", "strict", "pytest_plugin.hooks"])
def test_plain(name):
    loader = importlib.import_module(f"wove_http_dev.{name}").__spec__.loader
    assert type(loader).__name__ == "SourceFileLoader"

def test_other():
    assert type(sys.modules[__name__].__spec__.loader).__name__ == "AssertionRewritingHook"
"""


def test_modules_are_not_rewritten(pytester: pytest.Pytester) -> None:
    """A session imports this package as Python does, and a test module through pytest."""
    pytester.makepyfile(LOADERS)  # in a process that has not imported it before
    pytester.runpytest_subprocess(*without_others()).assert_outcomes(passed=5)


def test_imports_after_the_session(pytester: pytest.Pytester) -> None:
    """At the end of a session, imports are as they were before."""
    pytester.makeconftest(
        """
import sys
from wove_http_dev.pytest_plugin import PlainImports

def pytest_configure(config):
    assert PlainImports in sys.meta_path
"""
    )
    before = list(sys.meta_path)
    sys.meta_path[:] = [finder for finder in before if finder is not PlainImports]
    try:
        config = pytester.parseconfigure()
        during = PlainImports in sys.meta_path
        config._ensure_unconfigure()
        after = PlainImports in sys.meta_path
    finally:
        sys.meta_path[:] = before
    assert (during, after) == (True, False)


@pytest.mark.parametrize(
    "name", ["json", "wove_http_dev", "wove_http_dev.conformance.test_worker_cases"]
)
def test_finds_no_other(name: str) -> None:
    """Modules of others, and those with tests, are left to the other finders."""
    assert PlainImports.find_spec(name, None) is None


def test_finds_what_python_finds() -> None:
    """A module is found where its package is, and not elsewhere."""
    spec = PlainImports.find_spec("wove_http_dev.pytest_plugin.hooks", pytest_plugin.__path__)
    assert spec.origin == pytest_plugin.__file__.replace("__init__", "hooks")
