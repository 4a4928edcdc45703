"""Helpers for the tests of isolated workers."""

from __future__ import annotations

from wove_http_dev import HttpWorker
from wove_http_dev.isolated.host import IsolatedHost
from wove_http_dev.isolated.process import ChildProcess


def pid_of(worker: HttpWorker) -> int:
    """The id of the process that serves ``worker``."""
    host = worker._host
    assert isinstance(host, IsolatedHost)
    assert host.pid is not None
    return host.pid


def child_of(worker: HttpWorker) -> ChildProcess:
    """The process that serves ``worker``, as its host sees it."""
    host = worker._host
    assert isinstance(host, IsolatedHost)
    assert host._child is not None
    return host._child
