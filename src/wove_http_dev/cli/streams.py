"""Makes standard output and standard error safe to write to: every text can be written, and a
reader that has gone, a full disk or a closed descriptor causes no traceback. Says which stream
wants colours."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO

from wove_http_dev.printable import to_stderr


def prepare_streams() -> None:
    """Replace each closed standard descriptor by the null device, and let stdout and stderr escape
    what their encoding cannot write."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # open() returns the lowest free number: this one. A socket or a key file that got it
            # would be given what is meant for the terminal.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    # Python sets a stream to None whose descriptor was closed at its start.
    sys.stdout = sys.stdout or _null()
    sys.stderr = sys.stderr or _null()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_unwritable() -> None:
    """Point stdout or stderr at the null device if it cannot be flushed, so that the interpreter
    does not fail to flush it again at its end (exit status 120)."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)


def wants_color(stream: TextIO | io.TextIOBase) -> bool:
    """Whether ``stream`` is a terminal that shows colours, and ``NO_COLOR`` is not set."""
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not plain


def complain(message: object) -> None:
    """Write ``message`` to stderr as the line ``wove-http-dev: …``."""
    to_stderr(f"wove-http-dev: {message}\n")


def _null() -> io.TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")
