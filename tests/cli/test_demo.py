"""``wove-http-dev demo``."""

from __future__ import annotations

import subprocess

import pytest

from tests.cli.commands import run


@pytest.fixture(scope="module")
def demo() -> subprocess.CompletedProcess[str]:
    """One run of the demo, whose output is a pipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "error")
        return run("demo")


def test_demo(demo: subprocess.CompletedProcess[str]) -> None:
    """The demo exits with status 0 and nothing on stderr."""
    assert (demo.returncode, demo.stderr) == (0, "")


def test_demo_says_so(demo: subprocess.CompletedProcess[str]) -> None:
    """The demo's last line says that everything went as expected."""
    assert demo.stdout.splitlines()[-1] == "all as expected"


def test_demo_in_a_pipe_breaks_no_word(demo: subprocess.CompletedProcess[str]) -> None:
    """In a pipe the names of faults and errors are whole."""
    words = demo.stdout.split()
    assert {"missing-terminal", "EnvironmentExecutionError:", "DeliveryTimeoutError:"} <= {*words}
