"""What a forked child does not keep, and does not run."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from tests.forked import fork, status_in_a_fork
from wove_http_dev.forks import ForkedChildExits, close_in_forks


def test_socket_is_closed_in_a_fork() -> None:
    """The child's copy is closed, and this process's socket is not."""
    one, other = socket.socketpair()
    with one, other:
        close_in_forks(one)
        closed = status_in_a_fork(lambda: one.fileno() == -1)
        one.sendall(b"x")
        assert (closed, other.recv(1)) == (0, b"x")


def test_other_sockets_are_kept() -> None:
    """A socket that was not named stays open in the child."""
    one, other = socket.socketpair()
    with one, other:
        assert status_in_a_fork(lambda: one.fileno() != -1) == 0


def test_closed_socket() -> None:
    """A socket that was closed before the fork is no error."""
    one, other = socket.socketpair()
    one.close()
    with other:
        close_in_forks(one)
        assert status_in_a_fork(lambda: True) == 0


def test_file_is_closed_in_a_fork(tmp_path: Path) -> None:
    """The child's copy of a file is closed, too."""
    with open(tmp_path / "file", "wb", buffering=0) as file:
        close_in_forks(file)
        assert status_in_a_fork(lambda: file.closed) == 0


def test_child_of_a_body_exits() -> None:
    """A child that leaves the block in which it was forked exits with status 0."""
    with ForkedChildExits():
        pid = fork()
    # Only the process that called fork() comes here.
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_child_of_a_body_that_raises() -> None:
    """A child that raises exits just so, without a traceback."""
    pid = 0
    with suppress(ValueError), ForkedChildExits():
        pid = fork()
        if not pid:
            raise ValueError
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_block_without_a_fork() -> None:
    """What the block raises in the same process is raised on."""
    with pytest.raises(ValueError, match="x"), ForkedChildExits():
        raise ValueError("x")
