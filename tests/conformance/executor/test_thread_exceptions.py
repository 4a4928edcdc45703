"""Recording exceptions that end a thread."""

from __future__ import annotations

import threading

import pytest

from wove_http_dev.conformance.executor.thread_exceptions import record_uncaught


def end_a_thread_by(error: BaseException) -> None:
    """Raise ``error`` in a new thread and wait until the thread has ended."""

    def body() -> None:
        raise error

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()


def test_an_uncaught_exception_is_recorded() -> None:
    """An uncaught exception is recorded with its type and message."""
    seen: list[str] = []
    with record_uncaught(seen):
        end_a_thread_by(ValueError("boom"))
    assert seen == ["ValueError: boom"]


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """No traceback of a recorded exception is printed."""
    with record_uncaught([]):
        end_a_thread_by(ValueError("boom"))
    assert capfd.readouterr() == ("", "")


def test_a_system_exit_is_ignored() -> None:
    """SystemExit in a thread is not recorded, as threading ignores it too."""
    seen: list[str] = []
    with record_uncaught(seen):
        end_a_thread_by(SystemExit())
    assert seen == []


def test_the_hook_is_restored() -> None:
    """The previous ``threading.excepthook`` is restored on exit."""
    before = threading.excepthook
    with record_uncaught([]):
        pass
    assert threading.excepthook is before
