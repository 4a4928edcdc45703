"""Whole workers under macOS's rules, seen from their clients. Linux emulates the rules: see
``tests/macos.py``."""

from __future__ import annotations

import subprocess
import sys

IN_PROCESS = """
import os, socket, pytest
from tests.macos import emulate
emulate(pytest.MonkeyPatch())
from tests.support import LOOPBACKS, weave_one
from wove_http_dev import HttpWorker

def state(worker):
    for host in LOOPBACKS:
        try:
            socket.create_connection((host, worker.port), 10).close()
        except OSError as exc:
            yield type(exc).__name__
        else:
            yield "accepted"

def step(name, worker):
    print(name, *set(state(worker)))

OPTIONS
with HttpWorker(**options) as worker, worker.configured():
    step("started", worker)
    print(weave_one(lambda: __import__("sys").platform))
    with worker.inject("refuse-connections"):
        step("refuses", worker)
    step("removed", worker)
    worker.restart()
    print(weave_one())
    worker.crash()
    step("crashed", worker)
    worker.start()
    print(weave_one())
step("stopped", worker)
"""
EXPECTED = """\
started accepted
darwin
refuses ConnectionRefusedError
removed accepted
(1, 2)
crashed ConnectionRefusedError
(1, 2)
stopped ConnectionRefusedError
"""
ISOLATED = """
import tests.macos
from wove_http_dev import start_child
start_child.__file__ = os.path.join(os.path.dirname(tests.macos.__file__), "macos_child.py")
options = {"isolated": True}
"""


def run(program: str) -> str:
    """What the program prints on both streams."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120.0,
        check=False,
    )
    return done.stdout


def test_worker_in_the_process() -> None:
    """A worker starts, serves, refuses, restarts, crashes and stops."""
    assert run(IN_PROCESS.replace("OPTIONS", "options = {}")) == EXPECTED


def test_isolated_worker() -> None:
    """An isolated worker, in whose child process the rules apply too, does the same."""
    assert run(IN_PROCESS.replace("OPTIONS", ISOLATED)) == EXPECTED
