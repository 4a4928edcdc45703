"""Test modules for the plugin's test runs, and how they are run."""

from __future__ import annotations

import functools
import importlib.metadata
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

# pytester forgets what a run in this process imports; cryptography cannot be imported twice.
import wove_http_dev.first_certificate  # noqa: F401
from tests import preloaded

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


OTHER_PLUGINS = ("anyio", "asyncio", "fakefs", "hypothesispytest", "pytest_httpserver", "timeout")
"""What else is installed for the project's tests: a run of pytest takes 0.1 to 0.3 s longer with
it. Hypothesis's plugin alone compiles its package at each end of a run in this process."""


def without_others(beside: str = "") -> list[str]:
    """The arguments that leave out :data:`OTHER_PLUGINS`, but ``beside``, and the cache."""
    return [f"-pno:{name}" for name in (*OTHER_PLUGINS, "cacheprovider") if name != beside]


@functools.cache
def plugins_in_process() -> list[importlib.metadata.Distribution]:
    """The distributions with a plugin that a run in this process loads: pytest reads the metadata
    of all that there are, which takes longer than the run of a small test."""
    left_out = {*OTHER_PLUGINS} - {"asyncio"}
    return [
        each
        for each in importlib.metadata.distributions()
        if any(
            point.group == "pytest11" and point.name not in left_out for point in each.entry_points
        )
    ]


def run(pytester: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    """Run the test module ``source`` in this process, without other plugins; return the result."""
    pytester.makepyfile("from helper import *\n" + source)
    return pytester.runpytest_inprocess(*without_others("asyncio"), *arguments)


def run_apart(
    pytester: pytest.Pytester, source: str, *arguments: str, beside: str = ""
) -> pytest.RunResult:
    """Like `run`, in a child process, which does not import the other plugins, but ``beside``."""
    pytester.makepyfile("from helper import *\n" + source)
    done = run_pytest(pytester.path, *without_others(beside), *arguments)
    return pytest.RunResult(done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), 0)


def run_pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in ``directory``, in a child process."""
    return preloaded.run(["-m", "pytest", *arguments], 300.0, directory=directory)


def run_directory_apart(
    directory: Path,
    modules: Mapping[str, str],
    *arguments: str,
    ini: str = "",
    beside: str = "",
) -> list[str]:
    """Like `run_apart`, in ``directory``, with several test modules, for tests that share the run;
    return the lines of stdout."""
    for name, source in {"helper": HELPER, **modules}.items():
        beginning = "" if name == "helper" else "from helper import *\n"
        (directory / f"{name}.py").write_text(beginning + source, encoding="utf-8")
    (directory / "tox.ini").write_text(INI + ini, encoding="utf-8")
    return run_pytest(directory, *without_others(beside), *arguments).stdout.splitlines()


def decisions(pytester: pytest.Pytester, *arguments: str) -> set[str]:
    """The lines that the tests of `DECISIONS`, run in this process, print."""
    pytester.makepyfile(test_drawing="from helper import *\n" + DECISIONS)
    result = pytester.runpytest_inprocess(*without_others("asyncio"), "-rP", *arguments)
    result.assert_outcomes(passed=4)
    return {line for line in result.outlines if line.startswith("DECIDED")}


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


DECISIONS = """
@pytest.mark.parametrize("n", range(4))
def test_decisions(wove_http_worker, n):
    wove_http_worker.inject("missing-started", probability=0.5)
    for _ in range(8):
        weave_one()
    faults = "".join(str(len(e.faults)) for e in wove_http_worker.exchanges)
    print("DECIDED", n, faults)
"""
"""Random decisions, of which each test prints a line."""


HOSTILE = r"""
import json
def test_it(wove_http_worker):
    body = json.dumps({"type": "run_task", "run_id": "r", "task_id": "x\n#9 \x1b[2J\ud800"})
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(wove_http_worker.url, body.encode())
    raise AssertionError
"""
"""Fails after a client without credentials sent what a terminal would obey."""
