"""Exceptions that end a thread because nobody caught them: kept, and kept from the terminal.

It swaps ``threading.excepthook`` for a while. Whose thread it was it does not know; ours catch
theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def recorded(seen: list[str]) -> Iterator[None]:
    """Until it is left, such exceptions go to ``seen``, in words, and nowhere else."""

    def record(args: Any) -> None:
        if not issubclass(args.exc_type, SystemExit):  # threading passes over it as well
            seen.append(f"{args.exc_type.__name__}: {args.exc_value}")

    before, threading.excepthook = threading.excepthook, record
    try:
        yield
    finally:
        threading.excepthook = before
