"""What type checkers find in a user's files: ``tox -e types`` has mypy and pyright, and elsewhere
these tests skip."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted(
    path
    for path in (Path(__file__).parent.parent / "examples").glob("*.py")
    if not path.name.startswith("worker_")  # services without annotations, to copy
)
USERS_FILE = """\
from dataclasses import dataclass
from typing import ClassVar

import pytest

import wove_http_dev
from wove_http_dev import (
    CertificateAuthority, Contained, Exchange, Fault, Gate, HttpWorker, Injection, Run, RunLog,
    Stub, Verdict, WorkerFactory, WorkerOptions, assert_contained,
)
from wove_http_dev import HttpWorkr  # wrong
from wove_http_dev.faults import (
    FAULTS, Duration, Http10, Normal, RefuseConnections, Reply, ResponseStage, SlowBody,
    SlowResponse, TaskCancelled, Uniform, drawn, field,
)
from wove_http_dev.faults import SlowRespons  # wrong


@dataclass(frozen=True)
class Teapot(Fault):
    stage: ClassVar[str] = "response"
    brew: float = field(0.5, "seconds to brew", "seconds")
    pour: Duration = field(0.5, "seconds to pour", "seconds")
    drip: Duration | None = None

    def on_reply(self, reply: Reply, stage: ResponseStage) -> Reply:
        stage.wait(self.brew)
        stage.wait(self.pour)
        stage.wait(self.drip)
        half: float = drawn(self.pour) / 2
        half = self.pour / 2  # wrong
        return reply


Teapot(brew=1)
Teapot(brew="long")  # wrong
Teapot(brew=Uniform(1, 2))  # wrong
Teapot(pour=Normal(mean=1, sd=0.1), drip=Uniform(1, 2))
Normal(mean=1)  # wrong
SlowResponse(delay=Uniform(1, 2))
SlowBody(drip=Uniform(0.1, 0.2), interval=0.1)
SlowResponse(delay=2)
SlowResponse(delay="long")  # wrong
SlowResponse(dely=2)  # wrong
wove_http_dev.HttpWorker(timeout=None)
wove_http_dev.HttpWorkr()  # wrong
HttpWorker(timout=1.0)  # wrong
HttpWorker(port="8443")  # wrong
options: WorkerOptions = {"timout": 1.0}  # wrong


@pytest.fixture(scope="session")
def wove_http_options() -> WorkerOptions:
    return {"timeout": 5.0, "faults": [RefuseConnections()]}


@pytest.mark.wove_http(timeout=0.2)
def test(
    wove_http_worker: HttpWorker,
    wove_http_worker_factory: WorkerFactory,
    wove_http_ca: CertificateAuthority,
) -> None:
    worker = wove_http_worker_factory(timeout=0.2, faults=["hang", Http10()], seed=3)
    wove_http_worker_factory(timout=0.2)  # wrong
    injection: Injection = worker.inject("slow-response", delay=2, times=1)
    worker.inject("slow-response", times="once")  # wrong
    stub: Stub = worker.stub("render", result=1)
    gate: Gate = worker.hold("render")
    runs: RunLog = worker.runs["render"]
    run: Run = runs.first
    exchange: Exchange = worker.exchanges[0]
    verdict: Verdict | None = exchange.verdict
    worker.assert_ran("render", times=2)
    worker.asert_ran("render")  # wrong
    with assert_contained(worker) as contained:
        kind: type[Fault] = FAULTS["status"]
    outcome: Contained = contained
    print(injection, stub, gate, run, verdict, outcome, kind, TaskCancelled())
"""
WRONG = [
    number
    for number, line in enumerate(USERS_FILE.splitlines(), start=1)
    if line.endswith("# wrong")
]


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    """A test module of a user, in a directory without a checker's configuration."""
    path = tmp_path / "test_of_a_user.py"
    path.write_text(USERS_FILE, encoding="utf-8")
    return path


def found(checker: str, *arguments: str, directory: Path) -> str:
    """What ``checker`` prints; skips the test where it is not installed."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed; `tox -e types` has it")
    command = [sys.executable, "-m", checker, *arguments]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True).stdout


def found_by_mypy(*arguments: str, directory: Path) -> list[int]:
    """The numbers of the lines with an error of mypy."""
    words = ("--cache-dir", str(directory), "--no-error-summary", *arguments)
    lines = found("mypy", *words, directory=directory).splitlines()
    matches = [re.match(r"[^:]+:(\d+): error: ", line) for line in lines if ": note: " not in line]
    assert None not in matches, lines
    return sorted({int(match[1]) for match in matches if match is not None})


def found_by_pyright(*files: str, directory: Path) -> list[int]:
    """The numbers of the lines with an error of pyright."""
    words = ("--outputjson", "--pythonpath", sys.executable, *files)
    report = json.loads(found("pyright", *words, directory=directory))
    return sorted({each["range"]["start"]["line"] + 1 for each in report["generalDiagnostics"]})


def test_mypy_on_a_users_file(users_file: Path) -> None:
    """mypy --strict finds each misspelt option, unknown name and value of a wrong type, and nothing
    else."""
    directory = users_file.parent
    assert found_by_mypy("--strict", users_file.name, directory=directory) == WRONG


def test_pyright_on_a_users_file(users_file: Path) -> None:
    """pyright finds each misspelt option, unknown name and value of a wrong type, and nothing
    else."""
    assert found_by_pyright(users_file.name, directory=users_file.parent) == WRONG


def test_mypy_on_the_examples(tmp_path: Path) -> None:
    """mypy finds nothing in the examples."""
    assert found_by_mypy(*map(str, EXAMPLES), directory=tmp_path) == []


def test_pyright_on_the_examples() -> None:
    """pyright finds nothing in the examples."""
    names = [path.name for path in EXAMPLES]
    assert found_by_pyright(*names, directory=EXAMPLES[0].parent) == []
