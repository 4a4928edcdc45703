"""How ``serve`` ends: what it stops, signals, and what it leaves."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND, PATIENCE, run_here
from tests.cli.served import STOP_THAT_HANGS, Served, client, read_until, serving

pytestmark = pytest.mark.usefixtures("environ")

JOBS = """
import threading

def stuck():
    threading.Event().wait()

def leaves_a_thread():
    threading.Thread(target=stuck).start()
    return 42
"""


@pytest.fixture
def served() -> Iterator[Served]:
    """A ``serve`` that can import ``jobs``."""
    Path("jobs.py").write_text(JOBS)
    with serving() as served:
        yield served


def test_run_that_does_not_end(served: Served) -> None:
    """A run whose body cannot be interrupted is named in a line; nothing is on stderr."""
    with client(served, "stuck"):
        served.read_until("started    stuck")
        status, out, err = served.interrupt()
    assert "stopping   1 run has not ended (Ctrl-C again ends at once): stuck " in out
    assert (status, err) == (0, "")


def test_second_interrupt() -> None:
    """A second Ctrl-C ends at once, whatever the end waits for."""
    with serving(command=[sys.executable, "-c", STOP_THAT_HANGS]) as served:
        served.process.send_signal(signal.SIGINT)
        served.read_until("stopping")
        assert served.interrupt()[0] == 128 + signal.SIGINT


def test_thread_of_a_task(served: Served) -> None:
    """A thread that a task has started, and that never ends, does not keep the process."""
    with client(served, "leaves_a_thread") as process:
        assert process.communicate(timeout=PATIENCE)[0] == "42\n"
    assert served.interrupt()[0] == 0


def test_first_process_of_a_container() -> None:
    """SIGTERM ends it as process 1, for which no signal has a default action."""
    alone = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    with contextlib.suppress(OSError):
        if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0:
            _check_first_process([*alone, *COMMAND])
            return
    pytest.skip("unshare(1) cannot make a process 1 here")


def _check_first_process(command: list[str]) -> None:
    with serving(command=command) as served:
        outer = served.process.pid
        inner = Path(f"/proc/{outer}/task/{outer}/children").read_text()
        subprocess.run(["kill", "-TERM", *inner.split()], check=True)
        assert "stopping" in read_until(served.process, "stopping")
        assert served.process.wait(PATIENCE) == 0


def test_ready_file() -> None:
    """While it takes requests, the ready file has its URL."""
    with serving("--ready-file", "ready.json") as served:
        assert json.loads(Path("ready.json").read_text())["url"] == served.url


def test_ready_file_at_the_end() -> None:
    """The ready file is gone after the end."""
    with serving("--ready-file", "ready.json") as served:
        served.interrupt()
    assert not Path("ready.json").exists()


def test_ready_file_in_a_missing_directory() -> None:
    """A ready file that cannot be written is one line, and exit status 2."""
    done = run_here("serve", "--port", "0", "--ready-file", "missing/ready.json")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
