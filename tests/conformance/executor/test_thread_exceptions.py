"""Exceptions that end a thread uncaught."""

from __future__ import annotations

import threading

import pytest

from wove_http_dev.conformance.executor.thread_exceptions import record_uncaught


def end_a_thread_by(error: BaseException) -> None:
    """Raise ``error`` in a thread, and wait for its end."""

    def body() -> None:
        raise error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()


def test_an_uncaught_exception_is_recorded() -> None:
    """With its type and message."""
    seen: list[str] = []
    with record_uncaught(seen):
        end_a_thread_by(ValueError("boom"))
    assert seen == ["ValueError: boom"]


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """No traceback gets between the lines of a report."""
    with record_uncaught([]):
        end_a_thread_by(ValueError("boom"))
    assert capfd.readouterr() == ("", "")


def test_a_system_exit_is_ignored() -> None:
    """As threading itself ignores it."""
    seen: list[str] = []
    with record_uncaught(seen):
        end_a_thread_by(SystemExit())
    assert seen == []


def test_the_hook_is_restored() -> None:
    """Afterwards it is the one that was there."""
    before = threading.excepthook
    with record_uncaught([]):
        pass
    assert threading.excepthook is before
