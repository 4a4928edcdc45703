"""``wove-http-dev exec``: runs a command with a worker and the variables that lead to it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import COMMAND, EXEC_CONFIG, ON_MACOS, PATIENCE, WEAVE, run, run_here
from wove_http_dev.client.definition import CA_VARIABLES

SHOW = "import os; print(os.environ.get('{0}', ''))"


SIGNALLED_WHILE_IT_CLEANS_UP = """
import os, signal, sys
from wove_http_dev import HttpWorker
from wove_http_dev.cli.main import main
stop = HttpWorker.stop
def signalled(self):
    os.kill(os.getpid(), signal.SIGTERM)
    stop(self)
HttpWorker.stop = signalled
sys.exit(main())
"""

pytestmark = pytest.mark.usefixtures("environ")


@pytest.mark.parametrize("status", [0, 1, 7])
def test_exec_passes_the_exit_status(status: int) -> None:
    """The exit status is the command's."""
    done = run_here("exec", "--", "sh", "-c", f"exit {status}")
    assert done.returncode == status


def test_exec_of_a_killed_command() -> None:
    """A command ended by a signal gives the exit status 128 + the signal's number, as in a
    shell."""
    assert run("exec", "--", "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM


@pytest.fixture(scope="module")
def variables() -> dict[str, str]:
    """The environment variables of a command."""
    show = "import json, os; print(json.dumps(dict(os.environ)))"
    found: dict[str, str] = json.loads(run("exec", "--", sys.executable, "-c", show).stdout)
    return found


@pytest.mark.parametrize("name", ["WOVE_WORKER_URL", "WOVE_WORKER_SECRET", *CA_VARIABLES])
def test_exec_sets_variables(variables: dict[str, str], name: str) -> None:
    """The command has the environment variables that lead to the worker."""
    assert variables[name]


def test_exec_options_reach_the_worker() -> None:
    """Words before ``--`` are options of the worker, words after it the command."""
    done = run(
        "exec", "--no-tls", "--path", "/a", "--", sys.executable, "-c",
        SHOW.format("WOVE_WORKER_URL"), "--no-tls",
    )  # fmt: skip
    assert re.fullmatch(r"http://localhost:\d+/a\n", done.stdout)


def test_exec_weave() -> None:
    """A weave in the command is served."""
    script = WEAVE.format(config=EXEC_CONFIG)
    done = run("exec", "--", sys.executable, "-W", "default", "-c", script)
    assert done.stdout == "42\n"


def test_exec_on_macos() -> None:
    """Under macOS's rules ``exec`` serves a weave, and passes on the signal that ends the
    command."""
    signals = "import signal, sys; sys.stdout.flush(); os.kill(os.getppid(), signal.SIGTERM)"
    script = f"{WEAVE.format(config=EXEC_CONFIG)}\n{signals}; signal.pause()"
    done = subprocess.run(
        [*ON_MACOS, "exec", "--", sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "42\n")


def test_exec_fault() -> None:
    """A fault on the command line is in force."""
    script = WEAVE.format(config=EXEC_CONFIG)
    done = run("exec", "--fault", "status code=503", "--", sys.executable, "-c", script)
    assert "HTTP Error 503" in done.stderr


def test_exec_leaves_the_clients_options_to_the_command() -> None:
    """``exec`` has no flag for what only the command's own ``wove.config`` can set."""
    done = run("exec", "--timeout", "3", "--", sys.executable, "-c", "")
    assert (done.returncode, "wove.config" in done.stderr) == (2, True)


def test_exec_cleans_up_under_two_signals(tmp_path: Path) -> None:
    """A second SIGTERM during clean-up does not leave the CA's files behind."""
    script = "echo started; exec sleep 60"
    with subprocess.Popen(
        [sys.executable, "-c", SIGNALLED_WHILE_IT_CLEANS_UP, "exec", "--", "sh", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(tmp_path.iterdir())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["SIGHUP", "SIGTERM"])
def test_exec_keeps_ignored_signals(name: str) -> None:
    """A signal that is ignored when ``exec`` starts, as by ``nohup``, is ignored by its command."""
    show = f"import signal; print(signal.getsignal(signal.{name}) is signal.SIG_IGN)"
    command = shlex.join([*COMMAND, "exec", "--", sys.executable, "-c", show])
    script = f"trap '' {name.removeprefix('SIG')}; exec {command}"
    done = subprocess.run(
        ["sh", "-c", script], stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "True\n"
