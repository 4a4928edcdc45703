"""Starting the daemon threads of the worker service."""

from __future__ import annotations

import threading

import pytest

from tests.support import TIMEOUT
from wove_http_dev.errors import NoThreadError
from wove_http_dev.runs.threads import start_thread


def test_thread_calls_its_target() -> None:
    """The target is called with the arguments that follow it."""
    got: list[int] = []
    start_thread(got.append, 1, name="a").join(TIMEOUT)
    assert got == [1]


def test_thread_is_a_daemon() -> None:
    """The thread does not keep the process alive."""
    assert start_thread(lambda: None, name="a").daemon


def test_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``threading`` raises when the system has no thread to give becomes an error of the
    service."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(NoThreadError, match="can't start new thread"):
        start_thread(lambda: None, name="a")
