"""Escapes text from outside where it is written to a terminal, a log or a report."""

from __future__ import annotations

import sys
from contextlib import suppress

from wove_http_dev.exception_text import traceback_of


def printable(text: str, keep: str = "") -> str:
    """Return ``text`` with every character that is not printable as a Python escape (``\\x1b``);
    characters in ``keep`` stay.

    That covers control characters and line breaks, which would write lines of their own; format
    characters, which reorder what a person reads (Unicode TR36, 3.1: bidirectional text); and lone
    surrogates, which no encoding can write.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def shortened(text: str, limit: int, keep: str = "") -> str:
    """Return ``text`` :func:`printable`, and without its middle if it is longer than ``limit``: the
    beginning says what it is about, and the end often what to do."""
    text = printable(_without_middle(text, limit), keep)  # cut first: it may be long
    return _without_middle(text, limit)


def _without_middle(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    end = limit // 3
    return f"{text[: limit - end - 1]}…{text[-end:]}"


def to_stderr(text: str) -> None:
    """Write ``text`` to stderr in one write, so that texts of two threads are not mixed; do nothing
    if stderr is closed or its reader has ended."""
    with suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def print_traceback() -> None:
    """Write the traceback of the exception that is being handled to stderr, shortened and escaped,
    whatever stderr is."""
    exc = sys.exc_info()[1]
    assert exc is not None
    to_stderr(printable(traceback_of(exc), keep="\n"))
