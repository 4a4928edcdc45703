"""What thousands of tests leave behind in their process: ``python -m tests.soak leaks``.

Each generated test uses a fixture and runs a weave. ``plugin`` takes the figures in each process
that runs tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.worker_process import ROOT

TESTS = """
import os
import pytest
from wove import weave

NUMBERS = range(int(os.environ["SOAK_TESTS"]) // 5)
each = pytest.mark.parametrize("number", NUMBERS)


def run(worker):
    with weave() as w:

        @w.do(environment=worker.environment)
        def task():
            return 42

    return w.result.task


@each
def test_worker(number, wove_http_worker):
    assert run(wove_http_worker) == 42


@each
def test_fault(number, wove_http_worker):
    with wove_http_worker.inject("status code=503"), pytest.raises(Exception, match="503"):
        run(wove_http_worker)


@each
@pytest.mark.wove_http(tls=False, security="none")
def test_stub(number, wove_http_worker):
    with wove_http_worker.stub("task", result=42):
        assert run(wove_http_worker) == 42


@each
@pytest.mark.wove_http(impersonate="https://workers.internal/wove/tasks")
def test_impersonated(number, wove_http_worker):
    assert run(wove_http_worker) == 42


@each
def test_factory(number, wove_http_worker_factory):
    workers = [wove_http_worker_factory(tls=tls, security="bearer") for tls in (True, False)]
    assert [run(worker) for worker in workers] == [42, 42]


@pytest.mark.parametrize("number", range(len(NUMBERS) // 40))
@pytest.mark.wove_http(isolated=True)
def test_isolated(number, wove_http_worker):
    assert run(wove_http_worker) == 42
    wove_http_worker.crash()
"""
CONTROL = """
import os
import pytest


@pytest.fixture(scope="session")
def options():
    return {}


@pytest.fixture(scope="session")
def authority():
    yield


@pytest.fixture
def factory(request, options):
    request.getfixturevalue("authority")
    yield


@pytest.fixture
def worker(factory):
    pass


@pytest.mark.parametrize("number", range(int(os.environ["SOAK_TESTS"])))
def test_nothing(number, worker):
    pass
"""
"""As many tests, with as many fixtures of the same scopes, that do nothing. Until the session ends
pytest keeps the reports of each test, and in each session fixture a finalizer and the request of
every test that used it (pytest 9.2, ``FixtureDef.addfinalizer``: 0.6 KiB a test here)."""
GROWTH = 8 * 2**20
"""Bytes that a process may grow from the second tenth of its tests to the last, beside those that
it grows by as many tests of nothing."""


def soak_leaks(tests: int, processes: int) -> list[str]:
    """Run the tests, print the figures of each process, and return what was left in one."""
    ordinary, _ = _run(CONTROL, tests, processes)
    records, wrong = _run(TESTS, tests, processes)
    for name, record in records.items():
        before, after = record["before"], record["after"]
        print(
            f"{name}: {record['tests']} tests; threads {before['threads']} -> {after['threads']},"
            f" descriptors {before['descriptors']} -> {after['descriptors']},"
            f" MiB at each tenth: {_tenths(record)}; of tests of nothing: {_tenths(ordinary[name])}"
        )
        wrong += [
            f"{name}: {what}: {before[what]} before, {after[what]} after"
            for what in before
            if what not in ("resident", "blocks") and before[what] != after[what]
        ]
        growth = _growth(record) - _growth(ordinary[name])
        if growth > GROWTH:
            wrong.append(f"{name}: memory grew by {growth / 2**20:.0f} MiB")
    return wrong


def _tenths(record: dict[str, Any]) -> str:
    return ", ".join(f"{size / 2**20:.0f}" for size in record["memory"])


def _growth(record: dict[str, Any]) -> int:
    first, last = record["memory"][1], record["memory"][-1]
    return int(last - first)


def _run(text: str, tests: int, processes: int) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Run the tests in ``text``; return the record of each process, and what was wrong."""
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "test_soak.py").write_text(text)
        (directory / "conftest.py").write_text("from tests.soak.plugin import *  # noqa: F403\n")
        temporary, figures = directory / "temporary", directory / "figures"
        temporary.mkdir()
        figures.mkdir()
        arguments = [f"--basetemp={directory / 'basetemp'}"]  # pytest's own, which it leaves
        if processes:
            arguments += ["-n", str(processes)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "SOAK_TESTS": str(tests),
            "SOAK_FIGURES": str(figures),
            "TMPDIR": str(temporary),
            "HOME": str(temporary),
            # glibc gives threads heaps of their own, whose fragments would count as growth.
            "MALLOC_ARENA_MAX": "1",
        }
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        print(ended.stdout.splitlines()[-1], flush=True)
        if ended.returncode:
            wrong.append(f"pytest ended with {ended.returncode}:\n{ended.stdout[-3000:]}")
        wrong += [f"left: {file}" for file in temporary.rglob("*")]
        records = {file.stem: json.loads(file.read_text()) for file in sorted(figures.iterdir())}
    return records, wrong
