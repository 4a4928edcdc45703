"""``serve`` as in a container: its user has no entry in the list of users, and no home directory or
one that is read-only; it is process 1, and is ended by SIGTERM."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND, PATIENCE
from tests.cli.served import read_until, serving

USER = "12345"


@pytest.fixture(scope="module")
def container() -> Sequence[str]:
    """What runs a command as process 1 of an unknown user."""
    words = ["unshare", "--user", f"--map-user={USER}", f"--map-group={USER}", "--pid", "--fork"]
    try:
        done = subprocess.run([*words, "id", "-u"], capture_output=True, text=True, check=False)
    except OSError:
        pytest.skip("there is no unshare(1) here")
    if done.stdout != f"{USER}\n":
        pytest.skip(f"unshare(1) cannot make a process 1 of another user here: {done.stderr}")
    return words


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory of the container."""
    return tmp_path_factory.mktemp("container")


@dataclass
class Session:
    """A ``serve`` that was ended by SIGTERM."""

    woven: str
    """What a client outside has printed."""
    pid: int
    """The process id in the ready file."""
    log: str
    err: str
    status: int
    left: list[str]
    """The files in the working directory afterwards."""


@pytest.fixture(scope="module")
def session(container: Sequence[str], place: Path) -> Session:
    """One session, whose traces several tests read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name in ("HOME", "XDG_STATE_HOME", "USER", "LOGNAME"):
            patch.delenv(name, raising=False)
        words = ["--state-dir", "state", "--ready-file", "ready.json"]
        with serving(*words, command=[*container, *COMMAND]) as served:
            pid = json.loads(Path("ready.json").read_text())["pid"]
            woven = served.weave()
            outer = served.process.pid
            inner = Path(f"/proc/{outer}/task/{outer}/children").read_text()
            subprocess.run(["kill", "-TERM", *inner.split()], check=True)
            log = read_until(served.process, "stopping")
            status, _, err = served.end()
        left = sorted(path.name for path in place.iterdir())
    return Session(woven.stdout + woven.stderr, pid, log, err, status, left)


def test_task_in_a_container(session: Session) -> None:
    """A client outside weaves with the printed lines."""
    assert session.woven == "42\n"


def test_first_process(session: Session) -> None:
    """It is process 1, and SIGTERM, which has no default action there, ends it."""
    assert (session.pid, "stopping" in session.log, session.status) == (1, True, 0)


def test_no_complaint(session: Session) -> None:
    """It prints no warning and no traceback."""
    assert session.err == ""


def test_nothing_is_left(session: Session) -> None:
    """What is left is the state; the ready file is gone."""
    assert session.left == ["app.py", "state"]


def start(container: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Start ``serve`` without saying where its state is."""
    command = [*container, *COMMAND, "serve", "--port", "0", "--no-page"]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_no_home(container: Sequence[str], environ: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home directory one line says what to do."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    done = start(container)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "name a --state-dir" in done.stderr


def test_read_only_home(
    container: Sequence[str], environ: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a home directory that cannot be written one line says what to do."""
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_STATE_HOME")
    done = start(container)
    home.chmod(0o700)  # for pytest, which removes it
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "Permission denied" in done.stderr
    assert "name another --state-dir" in done.stderr
