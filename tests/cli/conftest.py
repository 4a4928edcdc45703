"""Fixtures for the tests of the command line."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.pipes import Pipe


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary working directory and state directory; warnings are errors in child processes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONWARNINGS", "error")


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Restore the default SIGINT handler: a shell starts background processes with SIGINT ignored,
    and child processes inherit this."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe instead of stdout and stderr."""
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8", errors="backslashreplace") as stdout:
        yield Pipe(reader, stdout)
    os.close(reader)
