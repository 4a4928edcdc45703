"""What commands share that import a user's module."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import PATIENCE
from wove_http_dev.cli.user_code import importable, one_line_errors
from wove_http_dev.errors import UsageError

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


def test_one_line_errors() -> None:
    """An exception becomes one line, without its cause."""
    with pytest.raises(UsageError) as raised, one_line_errors("cannot do it"):
        os.environ["NOT_SET_ANYWHERE"]
    assert str(raised.value).startswith("cannot do it: KeyError: 'NOT_SET_ANYWHERE' (")
    assert raised.value.__suppress_context__


def test_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place is that in the user's code, also where the error comes from a library."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "users_code", raising=False)
    (tmp_path / "users_code.py").write_text("import os\n\nos.listdir('/no/such')\n")
    with (
        importable(str(tmp_path)),
        pytest.raises(UsageError, match=r"\(users_code\.py, line 3\)"),
        one_line_errors("cannot import it"),
    ):
        __import__("users_code")


def test_interrupt() -> None:
    """Ctrl-C is no error of the user's code."""
    with pytest.raises(KeyboardInterrupt), one_line_errors("cannot do it"):
        raise KeyboardInterrupt


@pytest.mark.parametrize("status", [0, 1])
def test_hanging_thread(status: int) -> None:
    """A thread that hangs does not keep the process from ending with its status."""
    script = HANGING.format(status=status)
    done = subprocess.run([sys.executable, "-c", script], timeout=PATIENCE, check=False)
    assert done.returncode == status
