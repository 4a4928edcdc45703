"""Notes that a time limit passed during a case."""

from __future__ import annotations

import contextvars
import threading

import pytest

from wove_http_dev.conformance.executor.time_limits import (
    note_passed,
    note_timeout,
    watch_time_limits,
)


def test_a_time_limit_that_passed_is_noted() -> None:
    """A note is made for the case of this thread."""
    limits = watch_time_limits()
    note_passed()
    assert limits.passed


def test_a_note_in_a_thread_of_the_case() -> None:
    """A thread that is started with a copy of the context makes its notes for the same case."""
    limits = watch_time_limits()
    thread = threading.Thread(target=contextvars.copy_context().run, args=(note_passed,))
    thread.start()
    thread.join()
    assert limits.passed


def test_a_note_in_another_thread() -> None:
    """The notes of a thread that belongs to no case are dropped."""
    limits = watch_time_limits()
    thread = threading.Thread(target=note_passed)
    thread.start()
    thread.join()
    assert not limits.passed


class DeliveryTimeoutError(Exception):
    """An error of the same name as Wove's."""


@pytest.mark.parametrize(
    ("error", "passed"),
    [
        (TimeoutError(), True),
        (DeliveryTimeoutError(), True),
        (OSError("<urlopen error timed out>"), True),
        (OSError("TimeoutError: no answer yet"), True),
        (ValueError("boom"), False),
        (None, False),
    ],
    ids=["timeout", "delivery", "text", "name in the text", "another", "none"],
)
def test_the_error_of_a_run_that_timed_out_is_noted(
    error: BaseException | None, passed: bool
) -> None:
    """A timeout of Wove, or of the executor, is a time limit."""
    limits = watch_time_limits()
    note_timeout(error)
    assert limits.passed is passed
