"""Records exceptions that end a thread uncaught, and keeps their tracebacks off the terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def record_uncaught(seen: list[str]) -> Iterator[None]:
    """Replace ``threading.excepthook``: an exception that ends a thread is appended to ``seen``, as
    text, and printed nowhere."""

    def record(args: Any) -> None:
        if not issubclass(args.exc_type, SystemExit):  # threading ignores it as well
            seen.append(f"{args.exc_type.__name__}: {args.exc_value}")

    before, threading.excepthook = threading.excepthook, record
    try:
        yield
    finally:
        threading.excepthook = before
