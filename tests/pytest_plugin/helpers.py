"""Test modules for the plugin's test runs, and how they are run."""

from __future__ import annotations

import importlib.metadata

import pytest

INI = "[pytest]\n"
"""The beginning of an ini file."""
# pytest-asyncio, from 0.24 on, may warn unless this is set; before, pytest warns if it is.
if not importlib.metadata.version("pytest-asyncio").startswith("0.23."):
    INI += "asyncio_default_fixture_loop_scope = function\n"
HELPER = """
import urllib.error
import urllib.request

import pytest
from wove import weave

def weave_one(environment="workers"):
    with weave() as w:
        @w.do(environment=environment)
        def answer():
            return 42
    return w.result.answer

def refused(worker):
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(worker.url, data=b"{}")
"""


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """Run the test module ``source`` in this process; return the result."""
    pytester.makepyfile("from helper import *\n" + source)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


OTHER_PLUGINS = ("anyio", "asyncio", "fakefs", "pytest_httpserver", "timeout")


def run_apart(
    pytester: pytest.Pytester, source: str, *arguments: str, beside: str = ""
) -> pytest.RunResult:
    """Like `run`, in a child process, which does not import the other plugins that are installed,
    but ``beside``."""
    pytester.makepyfile("from helper import *\n" + source)
    return run_files_apart(pytester, *arguments, beside=beside)


def run_files_apart(
    pytester: pytest.Pytester, *arguments: str, beside: str = ""
) -> pytest.RunResult:
    """Like `run_apart`, with the test modules that are there."""
    left_out = [f"-pno:{name}" for name in OTHER_PLUGINS if name != beside]
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *left_out, *arguments)


PASSING = """
def test_it(wove_http_worker):
    assert weave_one() == 42
"""


REFUSED = """
def test_it(wove_http_worker):
    refused(wove_http_worker)
"""


FAILING = """
def test_it(wove_http_worker):
    assert weave_one() == 43
"""


FAULTED = """
@pytest.mark.wove_http_faults({words})
def test_it(wove_http_worker):
    with pytest.raises(Exception):
        weave_one()
"""
