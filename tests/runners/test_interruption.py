"""Ctrl-C at each call while processes of tasks start or stop."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.interruption import interrupt_each_place
from wove_http_dev.runners.processes import ProcessRunner

# Answers as a process of tasks does, and starts in a tenth of its time.
STAND_IN = """
import os, struct, sys
connection = int(sys.argv[1])
ready = b'["ready", {}, []]'
os.write(connection, struct.pack("!I", len(ready)) + ready)
while os.read(connection, 65536):
    pass
"""


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The processes that were started."""
    started: list[Any] = []

    class Recorded(subprocess.Popen[Any]):
        def __init__(self, *args: Any, **words: Any) -> None:
            started.append(self)
            super().__init__(*args, **words)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    monkeypatch.setattr(
        "wove_http_dev.start_child.arguments",
        lambda _, descriptor: ["-I", "-S", "-c", STAND_IN, str(descriptor)],
    )
    return started


def check_ended(processes: list[Any]) -> None:
    """Assert that each of ``processes`` has ended and was waited for, and forget them."""
    assert [each for each in processes if hasattr(each, "pid") and each.returncode is None] == []
    processes.clear()


@pytest.mark.parametrize("operation", ["start", "stop", "recycle"])
def test_interrupted(processes: list[Any], operation: str) -> None:
    """What is interrupted leaves nothing when the runner is stopped afterwards."""
    runners: list[ProcessRunner] = []

    def prepare() -> Callable[[], object]:
        runners.append(ProcessRunner(1))
        if operation != "start":
            runners[-1].start()
        call: Callable[[], object] = getattr(runners[-1], operation)
        return call

    def afterwards() -> None:
        runners[-1].stop()
        check_ended(processes)

    interrupt_each_place(prepare, afterwards=afterwards)
