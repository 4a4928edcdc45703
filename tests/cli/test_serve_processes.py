"""``serve --runner processes``: one ``serve``, which serves several weaves and is ended by Ctrl-C,
whose traces several tests read; and one that is killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.commands import COMMAND
from tests.cli.served import Served, by_name, client, serving, wait_until_gone, write_jobs
from tests.shared import shared

PROCESSES = ("--runner", "processes", "--workers", "2")
OWN_GROUP = ["setsid", *COMMAND]
"""The command as the leader of a process group, to which a terminal sends Ctrl-C."""
MEET = """
import os
import time

def meet(item):
    os.makedirs(item, exist_ok=True)
    open(os.path.join(item, str(os.getpid())), "w").close()
    while len(os.listdir(item)) < 2:
        time.sleep(0.01)
    return answer()
"""
"""A task that waits, in the directory ``item``, for one of another process."""


@dataclass
class Session:
    """What a ``serve`` said, and its clients."""

    printed: str
    ready: dict[str, Any]
    ran: dict[str, str]
    """What each client printed."""
    log: str
    err: str
    status: int
    left: list[int]
    """The processes of tasks that live after its end."""


def children_of(process: int) -> list[int]:
    """The processes that ``process`` has started."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    return [int(each) for children in lists for each in children.read_text().split()]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The ``serve`` that Ctrl-C ends."""
    return shared(tmp_path_factory, "serve-processes", run_session)


def run_session(directory: Path) -> Session:
    """Run ``serve`` and its clients, and end it by Ctrl-C."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("XDG_STATE_HOME", str(directory / "state"))
        patch.setenv("PYTHONWARNINGS", "error")
        signal.signal(signal.SIGINT, signal.default_int_handler)  # see ``interruptible``
        write_jobs(directory / "worker", "first", MEET)
        write_jobs(directory / "client", "the client's", MEET)
        arguments = (*PROCESSES, "--app-dir", "worker", "--reload", "--ready-file", "ready.json")
        with serving(*arguments, command=OWN_GROUP) as served:
            ready = json.loads(Path("ready.json").read_text())
            ran = _clients(served, directory)
            children = children_of(served.process.pid)
            os.killpg(served.process.pid, signal.SIGINT)
            status, log, err = served.end()
            left = wait_until_gone(children)
            return Session(served.printed, ready, ran, log, err, status, left)


def _clients(served: Served, directory: Path) -> dict[str, str]:
    client = directory / "client"
    ran = {
        "before": by_name(served, client),
        "before, in both": by_name(served, client, "meet", ["before"] * 2),
    }
    write_jobs(directory / "worker", "a second one", MEET)
    ran["after, in both"] = by_name(served, client, "meet", ["after"] * 2)
    ran["after"] = by_name(served, client)
    bodies = {
        "exit": "__import__('os')._exit(3)",
        "pid": "print('printed', 'there'); return os.getpid()",
    }
    for name, body in bodies.items():
        done = served.weave(body)
        ran[name] = done.stdout + done.stderr
    return ran


def test_banner(session: Session) -> None:
    """A line says where tasks run."""
    assert "where tasks run: 2 processes" in session.printed.splitlines()


def test_ready_file(session: Session) -> None:
    """The ready file says it too."""
    assert session.ready["runner"] == "2 processes"


def test_body_runs_in_another_process(session: Session) -> None:
    """A body does not run in the process of the service."""
    assert int(session.ran["pid"]) != session.ready["pid"]


def test_app_dir(session: Session) -> None:
    """Tasks that are sent by name are imported from ``--app-dir``."""
    assert session.ran["before"] == "first\n"


def test_reload(session: Session) -> None:
    """A change reaches each process before its next task."""
    texts = {name: text.rstrip() for name, text in session.ran.items() if "both" in name}
    assert texts == {
        "before, in both": "['first', 'first']",
        "after, in both": "['a second one', 'a second one']",
    }


def test_reload_stays(session: Session) -> None:
    """Later tasks have the change too."""
    assert session.ran["after"] == "a second one\n"


def test_reload_is_logged_once(session: Session) -> None:
    """The change is one line, however many processes have found it."""
    assert session.log.count("reloaded   jobs.py\n") == 1


def test_exit_is_that_task_s_error(session: Session) -> None:
    """The client of a task that ends its process gets an error that says so."""
    assert "exit status 3" in session.ran["exit"]


def test_exit_is_logged(session: Session) -> None:
    """The log has the run of a task that ends its process as failed, with the reason."""
    assert "exit status 3" in next(line for line in session.log.splitlines() if "FAILED" in line)


def test_output(session: Session) -> None:
    """What a body prints in its process is a line of the log."""
    assert "printed there" in session.log.splitlines()


@pytest.mark.parametrize("word", ["started", "ok"])
def test_runs_are_logged(session: Session, word: str) -> None:
    """The start and the end of a run are a line each."""
    assert any(f"  {word:<10} answer" in line for line in session.log.splitlines())


def test_end(session: Session) -> None:
    """Ctrl-C, which the terminal sends to its processes as well, ends it without a word on
    stderr."""
    assert (session.status, session.err) == (0, "")


def test_nothing_is_left(session: Session) -> None:
    """No process lives after the end."""
    assert session.left == []


def kill(served: Served) -> None:
    served.process.kill()


def interrupt_twice(served: Served) -> None:
    for _ in range(2):
        os.killpg(served.process.pid, signal.SIGINT)


@pytest.mark.usefixtures("environ")
@pytest.mark.parametrize("end", [kill, interrupt_twice])
def test_nothing_is_left_by_force(end: Callable[[Served], None]) -> None:
    """No process lives after SIGKILL, or a second Ctrl-C, while a body runs."""
    Path("jobs.py").write_text("import threading\n\ndef stuck():\n    threading.Event().wait()\n")
    with serving(*PROCESSES, command=OWN_GROUP) as served, client(served, "stuck"):
        served.read_until("started    stuck")
        children = children_of(served.process.pid)
        end(served)
        served.end()
        assert (len(children), wait_until_gone(children)) == (2, [])
