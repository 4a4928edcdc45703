"""The package's modules are imported without pytest's rewriting of assertions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def without_the_finder() -> Iterator[None]:
    """Take the finder of this session out of the import system until the block ends."""
    before = list(sys.meta_path)
    sys.meta_path[:] = [finder for finder in before if finder is not PlainImports]
    try:
        yield
    finally:
        sys.meta_path[:] = before


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
    with without_the_finder():
        config = pytester.parseconfigure()
        during = PlainImports in sys.meta_path
        config._ensure_unconfigure()
        after = PlainImports in sys.meta_path
    assert (during, after) == (True, False)


def test_imports_after_a_usage_error(pytester: pytest.Pytester) -> None:
    """A session whose command line is wrong leaves imports as they were, too."""
    with without_the_finder():
        with pytest.raises(pytest.UsageError):
            pytester.parseconfig("--no-such-option")
        after = PlainImports in sys.meta_path
    assert not after


def test_imports_after_a_session_in_a_test(pytester: pytest.Pytester) -> None:
    """A session within a session leaves the finder of the outer one."""
    with without_the_finder():
        outer = pytester.parseconfig()
        pytester.parseconfigure()._ensure_unconfigure()
        between = PlainImports in sys.meta_path
        outer._ensure_unconfigure()
    assert between


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
