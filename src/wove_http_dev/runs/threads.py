"""Starting the daemon threads of the worker service."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from wove_http_dev.errors import NoThreadError


def start_thread(target: Callable[..., None], *args: Any, name: str) -> threading.Thread:
    """Start a daemon thread that calls ``target(*args)``, and return the thread.

    Raises :class:`NoThreadError` if the system has no thread to give; nothing of the new one is
    left then.
    """
    thread = threading.Thread(target=target, args=args, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as exc:  # all that start() raises for a new thread
        raise NoThreadError(f"a thread could not be started: {exc}") from exc
    return thread
