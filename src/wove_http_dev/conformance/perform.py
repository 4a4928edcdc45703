"""Runs one case: what it returns or raises becomes its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from wove_http_dev.conformance.case import (
    FAILED,
    NOT_RUN,
    PASSED,
    SKIPPED,
    Case,
    CaseFailed,
    NotApplicable,
    Result,
    printable,
)
from wove_http_dev.secret import replace_cut_secrets, replace_secrets

Context = Callable[[], AbstractContextManager[Any]]
"""Makes the context of one case, which the case is called with."""
CUT_OFF = (
    "the answers came so late that the time for one case was over before all of its requests were"
    " answered"
)
"""Why a case could not be run to its end. It is the same for all cases, so that a report counts
them in one line."""


def perform(case: Case, context: Context) -> Result:
    """Run ``case`` in a new context and return its result."""
    began = time.monotonic()
    expected, sent = case.expected, ""
    needs: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    late = False
    try:
        with context() as check:
            secrets = tuple(getattr(check, "secrets", ()))
            try:
                actual = case.body(check) or ""
            finally:
                sent = str(getattr(check, "sent", ""))
                late = getattr(check, "late", False) is True
        status = PASSED
    except CaseFailed as exc:
        status, actual, expected = FAILED, exc.actual, exc.expected or case.expected
        late = late or _is_late(exc)
        if _is_cut_off(exc):
            status, actual = NOT_RUN, CUT_OFF
    except NotApplicable as exc:
        status, actual, needs = SKIPPED, str(exc), exc.needs
    except Exception as exc:  # a bad answer may cause any error; the check continues
        status, actual = FAILED, f"the case raised {type(exc).__name__}: {exc}"
        late = late or _is_late(exc)
    seconds = time.monotonic() - began
    return Result(
        *(case, status, printable(_hidden(actual, secrets)), expected, seconds),
        sent=printable(_hidden(sent, secrets)),
        needs=needs,
        late=late and status in (FAILED, NOT_RUN),
    )


def _hidden(text: str, secrets: tuple[str, ...]) -> str:
    """Return ``text`` without ``secrets``: an answer that it quotes may repeat what was sent."""
    return replace_cut_secrets(replace_secrets(text, secrets), secrets)


def _is_late(exc: BaseException) -> bool:
    """Return whether ``exc``, or what it was raised from, says that a time limit passed."""
    return any(
        getattr(each, "late", False) is True or isinstance(each, TimeoutError)
        for each in _causes(exc)
    )


def _is_cut_off(exc: BaseException) -> bool:
    """Return whether ``exc`` was raised because the case's time was over, before the last answer
    had been given the time that any answer may take. A slow service is not to blame for that."""
    return any(getattr(each, "cut_off", False) is True for each in _causes(exc))


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    """Yield ``exc`` and what it was raised from."""
    while exc is not None:
        yield exc
        exc = exc.__cause__
