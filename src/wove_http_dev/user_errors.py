"""Errors of the user's code, which a command imports or calls: each as one line with its place."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from wove_http_dev.errors import UsageError
from wove_http_dev.exception_text import is_users, shown_path

_ENVIRON_LOOKUP = type(os.environ).__getitem__.__code__


@contextmanager
def one_line_errors(what: str) -> Iterator[None]:
    """Raise a :class:`UsageError` in place of an exception of the user's code, also ``SystemExit``:
    ``what``, the type and message of the exception (of a variable that ``os.environ`` does not
    have, what to do), and its place in the user's code."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as exc:
        if _is_unset_variable(exc):
            name = exc.args[0]
            unset = f"environment variable {name} is not set{place_of(exc)}; export {name}=…"
            raise UsageError(f"{what}: {unset}") from None
        raise UsageError(f"{what}: {_described(exc)}{place_of(exc)}") from None


def _described(exc: BaseException) -> str:
    """Return the type and the message of ``exc`` in one line."""
    lines = traceback.format_exception_only(type(exc), exc)
    # The source line of a SyntaxError is before it, indented; notes (Python 3.11) are after it.
    described = next(line for line in lines if not line.startswith(" "))
    return " ".join(described.split())


def _is_unset_variable(exc: BaseException) -> bool:
    if type(exc) is not KeyError:
        return False
    *_, (frame, _) = traceback.walk_tb(exc.__traceback__)
    return frame.f_code is _ENVIRON_LOOKUP and frame.f_locals.get("self") is os.environ


def place_of(exc: BaseException) -> str:
    """Return where in the user's code ``exc`` was raised, e.g. `` (app.py, line 3)``, or an empty
    string if it was raised elsewhere."""
    if isinstance(exc, SyntaxError) and exc.filename:
        return f" ({shown_path(exc.filename)}, line {exc.lineno})"
    place = ""
    for frame, line in traceback.walk_tb(exc.__traceback__):
        if is_users(frame.f_code.co_filename):
            place = f" ({shown_path(frame.f_code.co_filename)}, line {line})"
    return place
