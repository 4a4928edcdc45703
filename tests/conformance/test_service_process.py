"""A service that is started by the check, and stopped at the end."""

from __future__ import annotations

import os
import select
import shlex
import socket
import sys
from pathlib import Path

import pytest

from tests.conformance.worker import references
from wove_http_dev.conformance.service_process import NeverAnsweredError, ServiceCommand, StartError


def test_a_command_that_never_listens_is_given_up() -> None:
    """A command that accepts no connection within the time limit is an error."""
    command = ServiceCommand("sleep 60", "127.0.0.1", references.free_port(), patience=0.1)
    with pytest.raises(NeverAnsweredError, match="accepted no connection"), command:
        pass


def test_a_port_that_is_taken_is_an_error() -> None:
    """A port that is in use is an error, because another service would be checked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = ServiceCommand("x", "127.0.0.1", server.getsockname()[1])
        with pytest.raises(StartError, match="already accepts"), command:
            pass


def test_what_the_command_started_is_stopped_too(tmp_path: Path) -> None:
    """The whole process group is stopped, including a child that would outlive the command."""
    port, fifo = references.free_port(), tmp_path / "held open by the child"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    script = (
        "import socket, subprocess\n"
        f"child = subprocess.Popen(['sleep', '60'], stdout=open({str(fifo)!r}, 'w'))\n"
        f"server = socket.create_server(('127.0.0.1', {port}))\n"
        "while True: server.accept()\n"
    )
    command = ServiceCommand(shlex.join([sys.executable, "-c", script]), "127.0.0.1", port)
    with command, pytest.raises(BlockingIOError):
        os.read(reader, 1)
    select.select([reader], [], [], 5.0)
    ended = os.read(reader, 1) == b""
    os.close(reader)
    assert ended


@pytest.mark.parametrize(
    ("words", "says"), [("", "is empty"), ("'", "No closing quotation"), ("/no/such", "cannot run")]
)
def test_a_command_that_cannot_be_started(words: str, says: str) -> None:
    """The error for a command that cannot be started says why."""
    with (
        pytest.raises(StartError, match=says),
        ServiceCommand(words, "127.0.0.1", references.free_port()),
    ):
        pass


def test_a_command_that_ends_early_is_shown_with_its_output() -> None:
    """The error has the command's exit status and the end of its output."""
    words = shlex.join([sys.executable, "-c", "print('no such flag'); raise SystemExit(3)"])
    command = ServiceCommand(words, "127.0.0.1", references.free_port())
    with pytest.raises(NeverAnsweredError, match=r"(?s)status 3 .*no such flag"), command:
        pass
