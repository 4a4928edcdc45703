"""The line of the user's code that called this package, for messages about a call."""

from __future__ import annotations

import sys

from wove_http_dev.exception_text import shown_path
from wove_http_dev.printable import shortened

LIMIT = 200
"""Characters of a place."""
_PACKAGE = __name__.partition(".")[0]


def call_site() -> str:
    """Return file and line of the innermost caller outside this package, as ``test_app.py:12``;
    empty if there is none. A file below the working directory has its path from there."""
    frame = sys._getframe()
    while str(frame.f_globals.get("__name__", "")).partition(".")[0] == _PACKAGE:
        if frame.f_back is None:
            return ""
        frame = frame.f_back
    return shortened(f"{shown_path(frame.f_code.co_filename)}:{frame.f_lineno}", LIMIT)


def at(call: str, place: str) -> str:
    """Return ``call``, and its place if that is known."""
    return f"{call} at {place}" if place else call
