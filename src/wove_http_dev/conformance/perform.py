"""Runs one case: what it returns or raises becomes its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from wove_http_dev.conformance.case import (
    FAILED,
    PASSED,
    SKIPPED,
    Case,
    CaseFailed,
    NotApplicable,
    Result,
    printable,
)

Context = Callable[[], AbstractContextManager[Any]]
"""Makes the context of one case, which the case is called with."""


def perform(case: Case, context: Context) -> Result:
    """Run ``case`` in a new context and return its result."""
    began = time.monotonic()
    expected, sent = case.expected, ""
    needs: tuple[str, ...] = ()
    late = False
    try:
        with context() as check:
            try:
                actual = case.body(check) or ""
            finally:
                sent = str(getattr(check, "sent", ""))
                late = getattr(check, "late", False) is True
        status = PASSED
    except CaseFailed as exc:
        status, actual, expected = FAILED, exc.actual, exc.expected or case.expected
        late = late or _is_late(exc)
    except NotApplicable as exc:
        status, actual, needs = SKIPPED, str(exc), exc.needs
    except Exception as exc:  # a bad answer may cause any error; the check continues
        status, actual = FAILED, f"the case raised {type(exc).__name__}: {exc}"
        late = late or _is_late(exc)
    seconds = time.monotonic() - began
    return Result(
        *(case, status, printable(actual), expected, seconds),
        sent=printable(sent),
        needs=needs,
        late=late and status == FAILED,
    )


def _is_late(exc: BaseException | None) -> bool:
    """Return whether ``exc``, or what it was raised from, says that a time limit passed."""
    while exc is not None:
        if getattr(exc, "late", False) is True or isinstance(exc, TimeoutError):
            return True
        exc = exc.__cause__
    return False
