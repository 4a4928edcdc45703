"""``wove-http-dev demo``: what it shows in a pipe, on a terminal, and without colour."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from contextlib import closing, suppress

import pytest

from tests.cli.commands import COMMAND, PATIENCE, run
from wove_http_dev.cli.demo_steps import STEPS

ESCAPE = "\x1b["
WIDTH = 80


@pytest.fixture(scope="module")
def environ() -> dict[str, str]:
    """The environment of a terminal with colours, whose width is unknown."""
    unset = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, "TERM": "xterm-256color", "PYTHONWARNINGS": "error"}


@pytest.fixture(scope="module")
def piped() -> subprocess.CompletedProcess[str]:
    """One run of the demo, whose output is a pipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "error")
        patch.delenv("FORCE_COLOR", raising=False)
        return run("demo")


def on_a_terminal(environ: dict[str, str]) -> str:
    """What the demo writes to a terminal."""
    ours, theirs = pty.openpty()
    with closing(os.fdopen(ours, "rb", buffering=0)) as screen:
        process = subprocess.Popen([*COMMAND, "demo"], stdout=theirs, stderr=theirs, env=environ)
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # EIO: the other end is closed (Linux)
            while data := screen.read(65536):
                shown += data
        process.wait(PATIENCE)
    return shown.decode().replace("\r\n", "\n")


def test_status(piped: subprocess.CompletedProcess[str]) -> None:
    """The demo exits with status 0 and nothing on stderr."""
    assert (piped.returncode, piped.stderr) == (0, "")


def test_every_result_is_expected(piped: subprocess.CompletedProcess[str]) -> None:
    """The demo says of every step that its result was as expected."""
    assert f"All {len(STEPS)} results are as expected" in piped.stdout


def test_it_fits(piped: subprocess.CompletedProcess[str]) -> None:
    """No line in a pipe is longer than 80 columns."""
    assert [line for line in piped.stdout.splitlines() if len(line) > WIDTH] == []


def test_no_word_is_broken(piped: subprocess.CompletedProcess[str]) -> None:
    """The longest words of the results are whole."""
    assert {"CERTIFICATE_VERIFY_FAILED]", "EnvironmentExecutionError:"} <= {*piped.stdout.split()}


def test_code_is_not_wrapped(piped: subprocess.CompletedProcess[str]) -> None:
    """Each line of the code that is shown is one line on the screen."""
    assert "    with slow, slow.configured():\n" in piped.stdout


def test_requests_are_shown(piped: subprocess.CompletedProcess[str]) -> None:
    """A request is shown with its answer and the fault that hit it."""
    assert "-> run_task write: 503  [fault: status]\n" in piped.stdout


def test_it_ends_with_what_to_try(piped: subprocess.CompletedProcess[str]) -> None:
    """The last lines name the commands to try next."""
    end = piped.stdout.rpartition("Try next:")[2]
    assert re.findall(r"wove-http-dev (\w+)", end) == ["faults", "serve", "doctor", "check"]


def test_stable(piped: subprocess.CompletedProcess[str]) -> None:
    """A second run prints the same text."""
    assert run("demo").stdout == piped.stdout


def test_no_colour_in_a_pipe(piped: subprocess.CompletedProcess[str]) -> None:
    """A pipe gets no escape sequences."""
    assert ESCAPE not in piped.stdout


def test_colour_on_a_terminal(environ: dict[str, str]) -> None:
    """A terminal gets colours."""
    assert ESCAPE in on_a_terminal(environ)


def test_no_color(environ: dict[str, str], piped: subprocess.CompletedProcess[str]) -> None:
    """With NO_COLOR a terminal gets the text of a pipe."""
    assert on_a_terminal({**environ, "NO_COLOR": "1"}) == piped.stdout


def test_first_line_before_the_imports() -> None:
    """The first line is written before Wove and the worker are imported."""
    code = (
        "import sys; from wove_http_dev.cli import demo;"
        "print(sorted({'wove', 'wove_http_dev.worker'} & {*sys.modules}))"
    )
    done = subprocess.run([COMMAND[0], "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
