"""Records what an executor prints, to stdout or stderr."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from types import FrameType
from typing import Any, TextIO

PYTHONS_OWN = ("logging", "warnings", "_py_warnings")
"""Modules that write to stderr where the application configured nothing else. Which of their
messages are shown is for the application to choose, so these are not printed by an executor."""


class _Recorder(io.StringIO):
    """Appends what is written to ``texts``; passes the messages of Python itself on to
    ``stream``."""

    def __init__(self, texts: list[str], stream: TextIO) -> None:
        super().__init__()
        self._texts, self._stream = texts, stream

    def write(self, text: str) -> int:
        if _written_by_python(sys._getframe(1)):
            return self._stream.write(text)
        self._texts.append(text)
        return len(text)


def _written_by_python(frame: FrameType | None) -> bool:
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if name in PYTHONS_OWN or frame.f_code is _show_unraisable.__code__:
            return True
        frame = frame.f_back
    return False


def _show_unraisable(show: Any, unraisable: Any) -> None:
    """Call ``show``. An exception in a finalizer appears in whatever code runs at that moment."""
    show(unraisable)


@contextmanager
def record_printed(texts: list[str]) -> Iterator[None]:
    """Append what is written to ``sys.stdout`` and ``sys.stderr`` to ``texts``, instead of printing
    it, until the block ends. Warnings, log records and exceptions in finalizers, which Python
    itself writes to stderr, are not recorded."""
    before = sys.unraisablehook
    with (
        redirect_stdout(_Recorder(texts, sys.stdout)),
        redirect_stderr(_Recorder(texts, sys.stderr)),
    ):
        sys.unraisablehook = lambda unraisable: _show_unraisable(before, unraisable)
        try:
            yield
        finally:
            sys.unraisablehook = before
