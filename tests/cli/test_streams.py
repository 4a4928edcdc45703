"""Standard streams of the command line: any encoding, closed, full, or with a reader that ended."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from tests.cli.commands import COMMAND, PATIENCE, run_here

pytestmark = pytest.mark.usefixtures("environ")

LISTS = ["faults", "faults slow-response", "serve --help", "check executor --list"]


def in_shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which ``CLI`` is the command line, until it ends."""
    line = command.replace("CLI", shlex.join(COMMAND))
    return subprocess.run(
        ["sh", "-c", line],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "latin-1"])
@pytest.mark.parametrize("command", LISTS)
def test_encoding(command: str, encoding: str) -> None:
    """A terminal that cannot show every character gets all of the text."""
    done = run_here(*command.split(), encoding=encoding)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_is_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    """The help has no character that an ascii terminal must be shown as an escape."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert "\\u" not in in_shell("CLI serve --help; CLI check worker --help").stdout


@pytest.mark.parametrize("stream", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("command", "status"), [("faults", 0), ("faults nonsense", 2)])
def test_closed(command: str, status: int, stream: str) -> None:
    """A closed standard stream changes neither the exit status nor what the others get."""
    done = in_shell(f"CLI {command} {stream}")
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("stream", [">/dev/full", "2>/dev/full"])
def test_full(stream: str) -> None:
    """A full disk causes one line at most, and no traceback."""
    done = in_shell(f"CLI faults nonsense {stream}")
    assert (done.returncode, done.stderr.count("\n") <= 1) == (2, True)


DESCRIPTORS = """
import os, sys
from wove_http_dev.cli.streams import prepare_streams
prepare_streams()
sys.exit(min(os.dup(0), 7))
"""


def test_no_file_gets_the_number_of_a_closed_stream() -> None:
    """After the preparation a new descriptor is never 0, 1 or 2."""
    done = in_shell(f"{sys.executable} -c {shlex.quote(DESCRIPTORS)} <&- >&- 2>&-")
    assert done.returncode >= 3


def test_broken_stderr() -> None:
    """A reader of stderr that has ended leaves the exit status as it is."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [*COMMAND, "faults", "nonsense"], stderr=write, timeout=PATIENCE, check=False
        )
    finally:
        os.close(write)
    assert done.returncode == 2


def test_usage_error_is_printable() -> None:
    """A word of the command line cannot write control characters to the terminal."""
    assert in_shell(r'CLI faults "$(printf "x\033[2J")"').stderr.rstrip("\n").isprintable()
