"""What a case counts as new in its process."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from wove_http_dev.conformance.executor.existing import (
    FOLDERS,
    GROWN,
    Existing,
    _descriptors,
    connections_to,
)


def test_nothing_new() -> None:
    """Without anything new there is nothing to report."""
    assert Existing().more_after(0.0) == ""


def test_threads_are_counted() -> None:
    """Threads that were started and have not ended are reported with their number."""
    before, over = Existing(), threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(GROWN)]
    try:
        for thread in threads:
            thread.start()
        assert before.more_after(0.0) == f"{GROWN} more threads"
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.mark.skipif(not any(map(os.path.isdir, FOLDERS)), reason="descriptors are not listed here")
def test_descriptors_are_counted() -> None:
    """Open sockets are reported with their number, and closed ones are not."""
    before = Existing()
    sockets = [socket.socket() for _ in range(GROWN)]
    try:
        assert before.more_after(0.0) == f"{GROWN} more open descriptors"
    finally:
        for sock in sockets:
            sock.close()
    assert before.more_after(0.0) == ""


@pytest.mark.skipif(not any(map(os.path.isdir, FOLDERS)), reason="descriptors are not listed here")
def test_a_connection_to_a_port_is_found() -> None:
    """The client's end of a connection to a port is found, and the other end is not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as sock, server.accept()[0]:
            assert connections_to(port) == [sock.fileno()]


def test_a_closed_connection_is_not_found() -> None:
    """Once it is closed, a connection is not found any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        assert connections_to(port) == []


def test_looking_for_connections_opens_nothing() -> None:
    """To look for connections leaves no descriptor open, and closes none."""
    before = _descriptors()
    connections_to(1)
    assert _descriptors() == before
