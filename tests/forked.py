"""Forked children for tests."""

from __future__ import annotations

import contextlib
import os
import signal
import warnings
from collections.abc import Callable, Iterator


def fork() -> int:
    """``os.fork()`` without the warning that other threads exist."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


@contextlib.contextmanager
def forked_child() -> Iterator[int]:
    """A child that does nothing, forked from this process, and whose fork handlers have run; killed
    at the end."""
    ready, tell = os.pipe()
    pid = fork()
    if not pid:
        os.write(tell, b"x")
        while True:
            signal.pause()
    try:
        os.read(ready, 1)
        os.close(ready)
        os.close(tell)
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def status_in_a_fork(function: Callable[[], object]) -> int:
    """Call ``function`` in a forked child; its exit status: 0 when ``function`` returned true, and
    1 when it returned false or raised."""
    pid = fork()
    if not pid:
        status = 1
        try:
            signal.alarm(30)  # a deadlock ends
            status = int(not function())
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
