"""``serve --runner dask``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.commands import run_here
from tests.cli.served import STOP_THAT_HANGS, by_name, serving, wait_until_gone, write_jobs


def test_reload(tmp_path: Path) -> None:
    """``--reload`` with ``--runner dask`` is refused in one line."""
    done = run_here("serve", "--port", "0", "--reload", "--runner", "dask")
    expected = (
        "wove-http-dev: --reload does not go with --runner dask: its workers import the tasks\n"
    )
    assert (done.returncode, done.stderr) == (2, expected)


class Session:
    """What happened while ``serve --runner dask`` ran."""

    place = ""
    by_name = ""
    processes: tuple[str, str] = ("", "")
    ended: tuple[int, str, str] = (-1, "", "")
    worker_ended = False


PROCESS = "import os; return os.getpid()"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A ``serve`` with one process; what it ran, before and after that got SIGINT."""
    pytest.importorskip("distributed", reason="Dask is not installed: tox -e dask")
    directory = tmp_path_factory.mktemp("serve")
    write_jobs(directory / "jobs", "from the app-dir")
    found = Session()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # see ``interruptible``
        patch.setenv("TMPDIR", str(tmp_path_factory.mktemp("tmp")))
        arguments = ["--no-page", "--state-dir", "state", "--app-dir", "jobs"]
        with serving(*arguments, "--runner", "dask", "--workers", "1") as served:
            found.place = served.printed
            found.by_name = by_name(served, directory / "jobs")
            first = served.weave(PROCESS).stdout
            os.kill(int(first), signal.SIGINT)
            found.processes = first, served.weave(PROCESS).stdout
            found.ended = served.interrupt()
            found.worker_ended = wait_until_gone([int(first)]) == []
    return found


def test_second_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C, while the end hangs, leaves no directory of the workers."""
    pytest.importorskip("distributed", reason="Dask is not installed: tox -e dask")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    arguments = ["--no-page", "--state-dir", "state", "--runner", "dask", "--workers", "1"]
    with serving(*arguments, command=[sys.executable, "-c", STOP_THAT_HANGS]) as served:
        before = list(tmp_path.glob("wove-http-dev-dask-*"))
        served.process.send_signal(signal.SIGINT)
        served.read_until("stopping")
        status = served.interrupt()[0]
    left = list(tmp_path.glob("wove-http-dev-dask-*"))
    assert (status, len(before), left) == (128 + signal.SIGINT, 1, [])


def test_place(session: Session) -> None:
    """It prints where tasks run."""
    assert "where tasks run: 1 process of a local Dask cluster" in session.place


def test_app_dir(session: Session) -> None:
    """The workers import modules from ``--app-dir``."""
    assert session.by_name == "from the app-dir\n"


def test_interrupt(session: Session) -> None:
    """A worker goes on after a Ctrl-C, which a terminal sends to it as well."""
    assert session.processes[0] == session.processes[1]


def test_status(session: Session) -> None:
    """Ctrl-C ends it with status 0."""
    assert session.ended[0] == 0


def test_quiet(session: Session) -> None:
    """Dask writes nothing to the terminal."""
    assert session.ended[2] == ""


def test_worker_ends(session: Session) -> None:
    """The worker's process ends."""
    assert session.worker_ended
