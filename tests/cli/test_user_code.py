"""What commands share that import a user's module."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tests.cli.commands import PATIENCE
from wove_http_dev.cli.user_code import importable, stuck_runs_ignored
from wove_http_dev.errors import StuckRunWarning

HANGING = """
import threading
from wove_http_dev.cli import user_code
user_code.LAST_RESORT = 0.0
threading.Thread(target=threading.Event().wait).start()
user_code.end_despite_threads({status})
"""


def test_importable(tmp_path: Path) -> None:
    """The directory is first on the path, and only during the block."""
    before = list(sys.path)
    with importable(str(tmp_path)):
        assert sys.path == [str(tmp_path), *before]
    assert sys.path == before


def test_importable_removed(tmp_path: Path) -> None:
    """The block may take it off the path itself."""
    before = list(sys.path)
    with importable(str(tmp_path)):
        sys.path.remove(str(tmp_path))
    assert sys.path == before


@pytest.mark.parametrize("status", [0, 1])
def test_hanging_thread(status: int) -> None:
    """A thread that hangs does not keep the process from ending with its status."""
    script = HANGING.format(status=status)
    done = subprocess.run([sys.executable, "-c", script], timeout=PATIENCE, check=False)
    assert done.returncode == status


def test_stuck_runs() -> None:
    """A run that does not end is not warned about, whatever the user's filters say."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with stuck_runs_ignored():
            warnings.warn("a run", StuckRunWarning, stacklevel=1)


def test_stuck_runs_afterwards() -> None:
    """After the block such a warning is what it was."""
    with stuck_runs_ignored():
        pass
    with pytest.warns(StuckRunWarning):
        warnings.warn("a run", StuckRunWarning, stacklevel=1)
