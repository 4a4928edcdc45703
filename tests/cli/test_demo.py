"""``wove-http-dev demo``."""

from __future__ import annotations

import pytest

from tests.cli.commands import run

pytestmark = pytest.mark.usefixtures("environ")


def test_demo() -> None:
    """The demo exits with status 0 and nothing on stderr."""
    done = run("demo")
    assert (done.returncode, done.stderr) == (0, "")


def test_demo_says_so() -> None:
    """The demo's last line says that everything went as expected."""
    assert run("demo").stdout.splitlines()[-1] == "all as expected"


def test_demo_in_a_pipe_breaks_no_word() -> None:
    """In a pipe the names of faults and errors are whole."""
    words = run("demo").stdout.split()
    assert {"missing-terminal", "EnvironmentExecutionError:", "DeliveryTimeoutError:"} <= {*words}
