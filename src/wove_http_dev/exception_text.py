"""Describes an exception as text of limited length, whatever its class, its text and its causes
are."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator
from types import TracebackType

from wove_http_dev.cut_text import cut_middle

MESSAGE_LIMIT = 20_000
"""Characters of an exception's message."""
TRACEBACK_LIMIT = 100_000
"""Characters of a traceback."""
_CALLS = 100
"""Calls shown of each traceback, counted from where the exception was raised."""
_CAUSES = 50
"""Exceptions (causes, contexts, members of groups) that are shown with the one that is
described."""
_PLACE_LIMIT = 300
"""Characters of the place of an error."""

_STDLIB = os.path.join(os.path.dirname(os.__file__), "")
CALLERS = (os.path.join(os.path.dirname(__file__), ""), os.path.join(_STDLIB, "asyncio", ""))
"""The folders of the code that calls tasks: this package and asyncio."""
_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")


def message_of(exc: BaseException, limit: int = MESSAGE_LIMIT) -> str:
    """Return ``str(exc)``, shortened to ``limit`` characters. Never raises."""
    try:
        return cut_middle(str(exc), limit)
    except BaseException as second:  # a user's __str__ may raise anything, SystemExit too
        return f"<{type(exc).__name__} whose __str__ raised {type(second).__name__}>"


def traceback_of(exc: BaseException, limit: int = TRACEBACK_LIMIT) -> str:
    """Return the traceback of ``exc`` with its causes, shortened to ``limit`` characters. Never
    raises.

    Of each traceback the last 100 calls are shown: a recursion can have any number. A chain of
    more than 50 exceptions is left out: a loop that retries with ``raise … from`` can make one of
    thousands.
    """
    try:
        related = list(_related(exc))
        if len(related) > _CAUSES:
            text = _alone(exc)
        else:
            text = "".join(
                traceback.TracebackException(
                    type(exc), exc, _calls_of(exc), limit=-_CALLS, compact=True
                ).format()
            )
        if any(_is_long(each) for each in related):
            text += f"[of each traceback, the last {_CALLS} calls]\n"
    except BaseException:  # this calls the user's __str__ and reads __notes__
        text = f"{type(exc).__name__}: {message_of(exc, limit)}"
    return cut_middle(text, limit)


def place_of(exc: BaseException) -> str | None:
    """Return where in the user's code ``exc`` was raised, ``app.py:12 in convert``: the innermost
    call that is neither of this package nor of a library. If all code of the task is of a library
    or has no file, return the task's own call; ``None`` if the user's code was not called.

    A path below the working directory is relative to it. Never raises.
    """
    try:
        place = _place_of(exc)
    except BaseException:  # attributes of a user's class
        return None
    return place and place[:_PLACE_LIMIT]


def _place_of(exc: BaseException) -> str | None:
    if isinstance(exc, SyntaxError) and exc.filename and not exc.filename.startswith("<"):
        return f"{shown_path(exc.filename)}:{exc.lineno}"
    first = found = None
    entry = exc.__traceback__
    while entry is not None:
        file = entry.tb_frame.f_code.co_filename
        if not file.startswith((*CALLERS, "<frozen ")):
            first = first or entry
        if is_users(file):
            found = entry
        entry = entry.tb_next
    found = found or first
    if found is None:
        return None
    code = found.tb_frame.f_code
    return f"{shown_path(code.co_filename)}:{found.tb_lineno} in {code.co_name}"


def is_users(file: str) -> bool:
    """Whether ``file``, the file name of some code, is one of the user's: neither of this package
    nor of a library, nor a name in angle brackets."""
    return not file.startswith(("<", _STDLIB, *CALLERS)) and not _INSTALLED.search(file)


def shown_path(file: str) -> str:
    """Return the path of ``file`` from the working directory, if it is below it."""
    try:
        below = os.path.join(os.getcwd(), "")
    except OSError:  # the working directory was removed
        return file
    return file.removeprefix(below)


def _calls_of(exc: BaseException) -> TracebackType | None:
    """Return the traceback of ``exc`` without the calls before those of the task, which are the
    worker's and asyncio's. If all are theirs, return all."""
    entry = exc.__traceback__
    while entry is not None and entry.tb_frame.f_code.co_filename.startswith(CALLERS):
        entry = entry.tb_next
    return entry or exc.__traceback__


def _alone(exc: BaseException) -> str:
    frames = "".join(traceback.format_tb(_calls_of(exc), limit=-_CALLS))
    return (
        f"[a chain of more than {_CAUSES} exceptions is left out; the last one:]\n\n"
        f"Traceback (most recent call last):\n{frames}{type(exc).__qualname__}: {message_of(exc)}\n"
    )


def _related(exc: BaseException) -> Iterator[BaseException]:
    """Yield ``exc`` and the exceptions that Python could show with it, at most one more than
    ``_CAUSES``."""
    seen: set[int] = set()
    waiting = [exc]
    while waiting and len(seen) <= _CAUSES:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        members = getattr(each, "exceptions", ())  # of an ExceptionGroup (Python 3.11)
        members = members if isinstance(members, tuple) else ()
        others = (each.__cause__, each.__context__, *members[: _CAUSES + 1])
        waiting += [other for other in others if isinstance(other, BaseException)]


def _is_long(exc: BaseException) -> bool:
    entry, calls = exc.__traceback__, 0
    while entry is not None and calls <= _CALLS:
        entry, calls = entry.tb_next, calls + 1
    return calls > _CALLS
