"""Helpers for the tests of isolated workers."""

from __future__ import annotations

from wove_http_dev import HttpWorker
from wove_http_dev.isolated.host import IsolatedHost


def pid_of(worker: HttpWorker) -> int:
    """The id of the process that serves ``worker``."""
    host = worker._host
    assert isinstance(host, IsolatedHost)
    assert host.pid is not None
    return host.pid
