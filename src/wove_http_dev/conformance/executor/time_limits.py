"""Notes that a time limit passed during a case, in whichever of its threads.

A case that fails after that may have failed because the machine was busy, so it is run again alone.
"""

from __future__ import annotations

import re
from contextvars import ContextVar

_TIMEOUT = re.compile(r"time(d|s|) ?out", re.IGNORECASE)


class TimeLimits:
    """Whether a time limit passed during one case: a wait of the case, or a timeout of a run."""

    def __init__(self) -> None:
        self.passed = False


_current: ContextVar[TimeLimits | None] = ContextVar("time limits of the case", default=None)


def watch_time_limits() -> TimeLimits:
    """Return an object that notes the time limits of this thread from now on, and of the threads
    that are started with a copy of its context."""
    limits = TimeLimits()
    _current.set(limits)
    return limits


def note_passed() -> None:
    """Note that a time limit has passed."""
    limits = _current.get()
    if limits is not None:
        limits.passed = True


def note_timeout(error: BaseException | None) -> None:
    """Note that a time limit has passed if ``error``, the error of a run, is a timeout."""
    if error is None:
        return
    # Wove's own DeliveryTimeoutError is no TimeoutError.
    named = f"{type(error).__name__}: {error}"
    if isinstance(error, TimeoutError) or _TIMEOUT.search(named):
        note_passed()
