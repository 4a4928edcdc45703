"""A service that is started by the check, and stopped at the end."""

from __future__ import annotations

import os
import select
import shlex
import socket
import sys
from pathlib import Path

import pytest

from tests.support import free_port
from wove_http_dev.conformance import service_process
from wove_http_dev.conformance.service_process import (
    SHOWN,
    NeverAnsweredError,
    ServiceCommand,
    StartError,
)


def test_a_command_that_never_listens_is_given_up() -> None:
    """A command that accepts no connection within the time limit is an error."""
    command = ServiceCommand("sleep 60", "127.0.0.1", free_port(), patience=0.1)
    with pytest.raises(NeverAnsweredError, match="accepted no connection"), command:
        pass


def test_a_port_that_is_taken_is_an_error() -> None:
    """A port that is in use is an error, because another service would be checked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = ServiceCommand("x", "127.0.0.1", server.getsockname()[1])
        with pytest.raises(StartError, match=r"already accepts .*leave out --cmd"), command:
            pass


def test_what_the_command_started_is_stopped_too(tmp_path: Path) -> None:
    """The whole process group is stopped, including a child that would outlive the command."""
    port, fifo = free_port(), tmp_path / "held open by the child"
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
    select.select([reader], [], [], 60.0)
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
        ServiceCommand(words, "127.0.0.1", free_port()),
    ):
        pass


SERVER = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    client = server.accept()[0]
    word = client.recv(99).decode()
    if word == "exit\\n":
        os._exit(1)
    if word:
        os.write(2, word.encode())
        client.sendall(b"printed")
"""


def server(port: int) -> ServiceCommand:
    """A command that prints each line which it gets, and ends at the line ``exit``."""
    words = [sys.executable, "-c", SERVER, str(port)]
    return ServiceCommand(shlex.join(words), "127.0.0.1", port)


def tell(port: int, word: str, end: str = "\n") -> bytes:
    """Send a line to the server, and wait until it was printed, or the server has ended."""
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(f"{word}{end}".encode())
        return client.recv(99)


def test_what_the_command_printed_since() -> None:
    """Each recorder gives what was printed since it was made, also if another one was made
    meanwhile."""
    port = free_port()
    with server(port) as command:
        both = command.recorder()
        tell(port, "first")
        later = command.recorder()
        tell(port, "second")
        assert (both(), later(), command.recorder()()) == ("first\nsecond", "second", "")


def test_a_line_that_is_not_printed_whole_is_kept() -> None:
    """A line is returned when it is whole: half of it could be half of a secret, which is hidden
    only as a whole."""
    port = free_port()
    with server(port) as command:
        recorder = command.recorder()
        tell(port, "one\nhalf of a", end="")
        first, later = recorder(), command.recorder()
        tell(port, " line")
        assert (first, later()) == ("one", "half of a line")


def test_the_last_words_of_a_command_that_ended() -> None:
    """After the end of the command, and its restart, a line without an end is returned too."""
    port = free_port()
    with server(port) as command:
        recorder = command.recorder()
        tell(port, "last words", end="")
        tell(port, "exit")
        assert (command.restart(), recorder()) == (None, "last words")


def test_the_last_words_are_not_those_of_the_next_start() -> None:
    """What the command printed before it was started again is not in a later recorder."""
    port = free_port()
    with server(port) as command:
        tell(port, "last words", end="")
        tell(port, "exit")
        command.restart()
        recorder = command.recorder()
        tell(port, "again")
        assert recorder() == "again"


def test_only_the_end_of_what_the_command_printed() -> None:
    """What the command prints is limited; the end is shown."""
    port = free_port()
    with server(port) as command:
        recorder = command.recorder()
        for _ in range(SHOWN // 50):
            tell(port, "x" * 90)
        tell(port, "last")
        output = recorder()
    assert set(output.splitlines()) == {"…", "x" * 90, "last"}


def test_a_command_that_ended_is_started_again() -> None:
    """A service whose process has ended is started again, and accepts connections."""
    port = free_port()
    with server(port) as command:
        tell(port, "exit")
        assert (command.restart(), tell(port, "again")) == (None, b"printed")


def test_a_command_that_runs_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service whose process has not ended may hang: it stays as it is."""
    monkeypatch.setattr(service_process, "STOP_GRACE", 0.01)
    port = free_port()
    with server(port) as command:
        why_not = command.restart()
    assert why_not is not None
    assert "has not ended" in why_not


def test_a_command_that_does_not_start_again(tmp_path: Path) -> None:
    """A service that cannot be started again says why, with what it printed."""
    port, script = free_port(), tmp_path / "server.py"
    script.write_text(SERVER)
    words = shlex.join([sys.executable, str(script), str(port)])
    with ServiceCommand(words, "127.0.0.1", port) as command:
        script.write_text("raise SystemExit('no such file')")
        tell(port, "exit")
        why_not = command.restart()
    assert why_not is not None
    assert "it could not be started again: the command ended with status 1" in why_not
    assert why_not.endswith("no such file")


def test_a_command_that_ends_early_is_shown_with_its_output() -> None:
    """The error has the command's exit status and the end of its output."""
    words = shlex.join([sys.executable, "-c", "print('no such flag'); raise SystemExit(3)"])
    command = ServiceCommand(words, "127.0.0.1", free_port())
    with pytest.raises(NeverAnsweredError, match=r"(?s)status 3 .*no such flag"), command:
        pass
