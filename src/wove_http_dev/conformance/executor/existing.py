"""Counts the threads and the open file descriptors of this process that are new.

They are listed before and after weaves. The worker runs in this process too: its threads are not
counted, but its ends of the connections are.
"""

from __future__ import annotations

import gc
import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from wove_http_dev.conformance.executor.waits import wait_until

GROWN = 8
"""This many new threads or descriptors mean that about each weave, or run that failed, left one. A
thread pool keeps fewer."""
CHECKER_THREADS = ("wove-http-dev", "conformance-")
"""How the names of the threads of the worker and of the checker begin."""
FOLDERS = ("/proc/self/fd", "/dev/fd")


def _threads() -> set[Any]:
    return {each for each in threading.enumerate() if not each.name.startswith(CHECKER_THREADS)}


def _descriptors() -> set[Any]:
    """Return the open file descriptors, each with its inode, because a closed descriptor's number
    is used again. Empty if the system does not list them."""
    found = set()
    for folder in FOLDERS:
        if os.path.isdir(folder):
            for number in map(int, os.listdir(folder)):
                with suppress(OSError):  # the descriptor of the listing itself is closed
                    found.add((number, os.fstat(number).st_ino))
            break
    return found


def connections_to(port: int) -> list[int]:
    """Return the descriptors of the connections of this process to ``port``, without the worker's
    ends of them. Empty if the system does not list descriptors."""
    found = []
    for number, _ in _descriptors():
        # Raised if the descriptor is not a socket, is not connected, or has been closed.
        with suppress(OSError):
            sock = socket.socket(fileno=number)
            try:
                if sock.getpeername()[1:2] == (port,):
                    found.append(number)
            finally:
                sock.detach()
    return found


KINDS: Mapping[str, Callable[[], set[Any]]] = {
    "threads": _threads,
    "open descriptors": _descriptors,
}


class Existing:
    """What existed of :data:`KINDS` when this was made. As text: what has been added since."""

    def __init__(self) -> None:
        gc.collect()
        self._before = {kind: existing() for kind, existing in KINDS.items()}

    def _added(self) -> dict[str, int]:
        # What other code of the process ended in between does not make up for what is new.
        return {kind: len(existing() - self._before[kind]) for kind, existing in KINDS.items()}

    def more_after(self, seconds: float) -> str:
        """Wait at most ``seconds`` until fewer than :data:`GROWN` of each kind have been added.
        Return the kinds of which more have been, e.g. ``12 more threads``, or an empty string."""
        gc.collect()  # objects that are only garbage do not count
        if wait_until(lambda: max(self._added().values()) < GROWN, seconds):
            return ""
        return " and ".join(f"{n} more {kind}" for kind, n in self._added().items() if n >= GROWN)

    def __str__(self) -> str:
        return ", ".join(f"{n:+d} {kind}" for kind, n in self._added().items())
