"""Records uncaught exceptions that end a thread, and keeps their tracebacks off the terminal."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def record_uncaught(seen: list[str]) -> Iterator[None]:
    """Append each uncaught exception that ends a thread to ``seen``, as text, instead of printing
    it. Replaces ``threading.excepthook`` until the block ends."""

    def record(args: Any) -> None:
        if not issubclass(args.exc_type, SystemExit):  # threading ignores it as well
            seen.append(f"{args.exc_type.__name__}: {args.exc_value}")

    before, threading.excepthook = threading.excepthook, record
    try:
        yield
    finally:
        threading.excepthook = before
