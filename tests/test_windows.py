"""What a user of Windows sees: what cannot work says so by name, and the rest works. Linux emulates
it: see ``tests/windows.py``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wove_http_dev
from tests.cli.commands import PATIENCE, run_here
from tests.windows import emulate

ROOT = Path(__file__).parent.parent
PACKAGE = Path(wove_http_dev.__file__).parent
URL = "http://localhost:1/"
ADVICE = " needs Linux or macOS; on Windows, use WSL or a container\n"
IMPORTS = """
import importlib, pkgutil, pytest
from tests.windows import emulate
emulate(pytest.MonkeyPatch())
import wove_http_dev
for module in pkgutil.walk_packages(wove_http_dev.__path__, "wove_http_dev."):
    if not module.name.endswith(("__main__", "test_worker_cases")):
        importlib.import_module(module.name)
for name in wove_http_dev.__all__:
    getattr(wove_http_dev, name)
"""
CONFTEST = """
import sys
import pytest
sys.path.append({root!r})
from tests.windows import emulate
emulate(pytest.MonkeyPatch())
"""
TESTS = """
def test_of_another_kind():
    assert True

def test_with_a_worker(wove_http_worker):
    assert True
"""


def python(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A run of Python."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process lacks what Windows lacks."""
    emulate(monkeypatch)


def test_every_module_is_imported() -> None:
    """No module needs anything that Windows lacks when it is imported."""
    done = python("-c", IMPORTS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("serve", ["serve"]),
        ("exec", ["exec", "--", "true"]),
        ("a worker service", ["demo"]),
        ("a worker service", ["faults", "--measure", "hang"]),
        ("check executor", ["check", "executor", "--executor", "http"]),
        ("--cmd", ["check", "worker", URL, "--cmd", "x"]),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_command_that_cannot_work(what: str, words: list[str]) -> None:
    """A command that cannot work says so in one line, exit status 2."""
    done = run_here(*words)
    assert (done.returncode, done.stderr) == (2, f"wove-http-dev: {what}{ADVICE}")


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    "words",
    [
        ["faults"],
        ["faults", "hang"],
        ["check", "worker", "--list"],
        ["check", "executor", "--list"],
    ],
    ids=" ".join,
)
def test_command_that_works(words: list[str]) -> None:
    """A command that starts no worker works."""
    done = run_here(*words)
    assert (done.returncode, done.stderr) == (0, "")


def test_plugin(tmp_path: Path) -> None:
    """A test without a worker passes beside the plugin, and one with a worker says why it cannot
    run."""
    (tmp_path / "conftest.py").write_text(CONFTEST.format(root=str(ROOT)))
    (tmp_path / "test_it.py").write_text(TESTS)
    done = python("-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-q", cwd=tmp_path)
    assert f"wove_http_worker: a worker service{ADVICE}" in done.stdout
    assert "1 passed, 1 error" in done.stdout
