"""``wove-http-dev faults``: the catalogue of faults on the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import run
from wove_http_dev.faults import FAULTS


def test_write_to_a_missing_directory_is_a_usage_error(tmp_path: Path) -> None:
    """A path that cannot be written is one line on stderr and exit status 2."""
    done = subprocess.run(
        [sys.executable, "-m", "wove_http_dev", "faults", "--measure", "status", "--write", "/n/x"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


pytestmark = pytest.mark.usefixtures("environ")


def test_faults_lists_all() -> None:
    """The catalogue has every fault."""
    words = run("faults").stdout.split()
    assert set(FAULTS) - set(words) == set()


@pytest.mark.parametrize("part", ["slow-response", "delay=1.0 seconds", "DeliveryTimeoutError"])
def test_fault_in_full(part: str) -> None:
    """One fault is shown with its fields, their units, and the expected outcome."""
    assert part in run("faults", "slow-response").stdout
