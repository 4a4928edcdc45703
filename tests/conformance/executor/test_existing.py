"""What a case counts as new in its process."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from wove_http_dev.conformance.executor.existing import FOLDERS, GROWN, Existing


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
