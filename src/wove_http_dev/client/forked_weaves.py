"""Notices weaves with ``fork=True``: Wove runs them in a child process that has none of this
process's configuration, so their tasks never reach the worker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from wove_http_dev.client.restore import restored_by

_NAME = "_start_forked_process"  # wove.context.WoveContextManager, 2.0.0 to 2.0.3
_lock = threading.RLock()
_watchers: list[Callable[[Any], None]] = []
_original: Any = None


def _noticing(weave: Any) -> Any:
    for watcher in list(_watchers):
        watcher(weave)
    return _original(weave)


@contextmanager
def noticed(environment: str, notice: Callable[[list[str]], None]) -> Iterator[None]:
    """Call ``notice`` with the names of the tasks of ``environment`` in each weave that Wove forks,
    until the block ends. A method that other code has put in place of this module's is kept."""
    global _original
    from wove.context import WoveContextManager

    def watcher(weave: Any) -> None:
        names = tasks_of(weave, environment)
        if names:
            notice(names)

    def restore() -> None:
        with _lock:
            if watcher in _watchers:
                _watchers.remove(watcher)
            if not _watchers and getattr(WoveContextManager, _NAME, None) is _noticing:
                setattr(WoveContextManager, _NAME, _original)

    with restored_by(restore):
        with _lock:
            current = getattr(WoveContextManager, _NAME, None)
            if current is not None and current is not _noticing:
                _original = current
                setattr(WoveContextManager, _NAME, _noticing)
            _watchers.append(watcher)
        yield


def tasks_of(weave: Any, environment: str) -> list[str]:
    """Return the names of the tasks of a weave that run in ``environment``."""
    default = getattr(weave, "_environment", None)
    return [
        name
        for name, task in getattr(weave, "_tasks", {}).items()
        if not task.get("seed") and (task.get("environment") or default) == environment
    ]
