"""Sockets and files that a forked child does not keep."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.forked import status_in_a_fork
from wove_http_dev.forks import close_in_forks


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
