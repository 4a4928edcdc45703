"""``ctl`` beside a ``serve`` in another process, which several tests ask."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.commands import run_here
from tests.cli.served import serving

Done = subprocess.CompletedProcess[str]


@contextmanager
def home(directory: Path) -> Iterator[Path]:
    """``directory`` has the state directory of ``serve`` and ``ctl``, which is yielded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        patch.setenv("XDG_STATE_HOME", str(directory / "state"))
        patch.setenv("PYTHONWARNINGS", "error")
        signal.signal(signal.SIGINT, signal.default_int_handler)  # see ``interruptible``
        yield directory / "state" / "wove-http-dev"


@dataclass
class Session:
    """What ``ctl`` said of a ``serve`` with a task that prints and logs."""

    during: Done
    """``ctl --json runs``, while it ran."""
    after: Done
    """``ctl runs``, when it had ended."""
    log: tuple[str, str]
    """What ``serve`` wrote to stdout and stderr."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A ``serve`` that ran a task and was interrupted."""
    body = "print('a line'); import logging; logging.warning('a record')"
    with home(tmp_path_factory.mktemp("session")):
        with serving("--page-port", "0") as served:
            served.weave(body)
            during = run_here("ctl", "--json", "runs")
            _, out, err = served.interrupt()
        return Session(during, run_here("ctl", "runs"), (out, err))


def test_serve_is_found(session: Session) -> None:
    """``ctl`` finds the ``serve`` of the default state directory."""
    (run,) = json.loads(session.during.stdout)["runs"]
    assert (session.during.returncode, session.during.stderr) == (0, "")
    assert run["task_id"] == "answer"


def test_serve_that_has_ended(session: Session) -> None:
    """A ``serve`` that has ended is no longer found."""
    assert session.after.returncode == 2


def test_output_of_a_task(session: Session) -> None:
    """What a task of ``serve`` has printed and logged is shown with its run, and in the log."""
    (run,) = json.loads(session.during.stdout)["runs"]
    assert run["output"] == "a line\nWARNING:root:a record\n"
    assert (session.log[0].count("a line"), session.log[1].count("a record")) == (1, 1)


@dataclass
class Killed:
    """A ``serve`` that was killed, and another after it."""

    between: Done
    """``ctl runs``, before the other started."""
    status: Done
    """``ctl status``, while the other ran."""
    url: str
    """Where the other was."""
    announcements: list[Path]
    """The files that announced a ``serve`` then."""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """A ``serve`` that was killed, and another after it."""
    with home(tmp_path_factory.mktemp("killed")) as state:
        with serving("--page-port", "0") as first:
            first.process.kill()
            first.process.wait()
        between = run_here("ctl", "runs")
        with serving("--page-port", "0") as second:
            status = run_here("ctl", "status")
            return Killed(between, status, second.url, [*state.glob("running-*")])


def test_killed_serve_is_named(killed: Killed) -> None:
    """Of a ``serve`` that was killed, the error names what it left."""
    found = (killed.between.returncode, "one that was killed left" in killed.between.stderr)
    assert found == (2, True)


def test_killed_serve_is_followed_by_another(killed: Killed) -> None:
    """A new ``serve`` removes what a killed one left, and is found."""
    assert (killed.status.returncode, killed.url in killed.status.stdout) == (0, True)
    assert len(killed.announcements) == 1


@pytest.mark.usefixtures("environ")
def test_serve_without_a_page() -> None:
    """A ``serve`` without a control API is named, with the flag."""
    with serving("--no-page"):
        done = run_here("ctl", "runs")
    assert (done.returncode, "--no-page" in done.stderr) == (2, True)
