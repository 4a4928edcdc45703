"""Records what the worker service itself could not do, in the journal and on stderr.

This is kept apart from what a client did and from what a fault was injected to do: the exchange of
such a failure has ``internal_error`` and a code of its own, and strict mode reports it.
"""

from __future__ import annotations

from wove_http_dev.descriptors import ADVICE, none_free
from wove_http_dev.errors import CannotServeError
from wove_http_dev.exception_text import message_of, traceback_of
from wove_http_dev.faults.plan import NO_PLAN, Plan
from wove_http_dev.printable import printable, to_stderr
from wove_http_dev.runs.journal import Journal
from wove_http_dev.runs.records import Exchange

TRACEBACK_LIMIT = 20_000
"""Characters of a traceback that are printed."""


def failure_code(exc: BaseException) -> str:
    """Return the journal's code (one of ``runs.records.CODES``) for ``exc``, a failure of the
    service."""
    if isinstance(exc, CannotServeError):
        return exc.code
    if none_free(exc):
        return "no-descriptor"
    return "internal-error"


def record_failure(
    journal: Journal,
    exc: BaseException,
    *,
    exchange: Exchange | None = None,
    plan: Plan = NO_PLAN,
) -> None:
    """Record in ``exchange`` and on stderr that the service failed with ``exc``.

    Without ``exchange``, a new one is added for the connection, with the faults of ``plan``.
    """
    entry = exchange if exchange is not None else journal.open("connection")
    if exchange is None:
        entry.faults, entry.drawn = plan.names, plan.drawn
    entry.error = journal.redaction.clean(_describe(exc))
    entry.code = failure_code(exc)
    entry.internal_error = True
    text = f"wove-http-dev: the worker service failed ({entry.code}): {printable(entry.error)}\n"
    if entry.code == "internal-error":
        text += printable(journal.redaction.clean(traceback_of(exc), TRACEBACK_LIMIT), keep="\n")
    to_stderr(text)
    if exchange is None:
        journal.close(entry)


def _describe(exc: BaseException) -> str:
    message = message_of(exc)
    if none_free(exc):
        return f"{message}; {ADVICE}"
    return message if isinstance(exc, CannotServeError) else f"{type(exc).__name__}: {message}"
