"""Preloaded child processes: what a program in one finds, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import preloaded
from tests.cli.commands import PATIENCE

ROOT = Path(__file__).parents[1]
SHOW = """
import json, os, sys
print(json.dumps([sys.argv, sys.path[0], os.getcwd(), dict(os.environ), __name__]))
"""
PRELOADED = "import sys\nprint('wove' in sys.modules)"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for a program, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "program.py"


def test_what_it_finds(program: Path) -> None:
    """It finds its arguments, import path, directory, environment and name."""
    program.write_text(SHOW)
    done = preloaded.run(["program.py", "-x"], PATIENCE, {"A": "b"})
    directory = str(program.parent)
    expected = [["program.py", "-x"], directory, directory, {"A": "b"}, "__main__"]
    assert json.loads(done.stdout) == expected


def test_it_is_preloaded(program: Path) -> None:
    """Wove is imported before it begins."""
    program.write_text(PRELOADED)
    assert preloaded.run(["program.py"], PATIENCE).stdout == "True\n"


@pytest.mark.parametrize(
    ("line", "status", "err"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit('reason')", 1, "reason\n"),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, ""),
    ],
)
def test_exit_status(program: Path, line: str, status: int, err: str) -> None:
    """It ends with the exit status of a new interpreter."""
    program.write_text(f"import os, signal, sys\n{line}")
    done = preloaded.run(["program.py"], PATIENCE)
    assert (done.returncode, done.stderr) == (status, err)


def test_encoding(program: Path) -> None:
    """``PYTHONIOENCODING`` is the encoding of its streams."""
    program.write_text("print(ascii('\\xe4')); print('\\xe4')")
    done = preloaded.run(["program.py"], PATIENCE, {"PYTHONIOENCODING": "ascii"})
    assert (done.stdout, "UnicodeEncodeError" in done.stderr) == ("'\\xe4'\n", True)


def test_warnings(program: Path) -> None:
    """``PYTHONWARNINGS=error`` makes an exception of a warning."""
    program.write_text("import warnings\nwarnings.warn('first')")
    done = preloaded.run(["program.py"], PATIENCE, {"PYTHONWARNINGS": "error"})
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "UserWarning: first")


FIRST = """
import os
from tests import preloaded

if __name__ == "__main__":
    os.environ["PYTHONWARNINGS"] = "error"
    preloaded.run(["shows.py"], 60.0, {"PYTHONWARNINGS": "error"})
    print(preloaded.run(["shows.py"], 60.0, {}).stdout, end="")
"""


def test_warnings_of_the_first_program(program: Path) -> None:
    """What ``PYTHONWARNINGS`` is for the first program, has no effect on others."""
    program.write_text(FIRST)
    (program.parent / "shows.py").write_text("import warnings; print(warnings.filters[:1])")
    path = os.pathsep.join([str(ROOT), *sys.path])
    done = subprocess.run(
        [sys.executable, "program.py"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ("error" in done.stdout, done.stdout[:2]) == (False, "[("), done.stderr


def test_assertions_of_a_test_run(program: Path) -> None:
    """A test run says what was compared."""
    program.write_text("def test():\n    assert 1 + 1 == 3")
    done = preloaded.run(["-m", "pytest", "-q", "program.py"], PATIENCE)
    assert (done.returncode, "assert (1 + 1) == 3" in done.stdout) == (1, True)


def test_what_a_test_run_finds(program: Path) -> None:
    """A test run finds imported what a test with a worker needs, as it would import it, and nothing
    that only commands need."""
    program.write_text(
        "import sys\n"
        "def test():\n"
        "    assert 'wove_http_dev.worker' in sys.modules\n"
        "    assert 'wove_http_dev.cli.serve' not in sys.modules"
    )
    words = ["-m", "pytest", "-q", "-W", "error::pytest.PytestAssertRewriteWarning", "program.py"]
    done = preloaded.run(words, PATIENCE)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
