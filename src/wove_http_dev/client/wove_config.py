"""Wove's process-wide configuration: an environment that is defined for a while.

``wove.config()`` has no reset. So ``wove.runtime.runtime`` is saved when the first worker is
configured, and restored when the last one no longer is, together with what a test has changed by
``wove.config()`` in between. It is restored **in place**, because other modules hold references to
it. Import the application before, at the top of the test module, so that its own configuration is
part of what is saved.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_lock = threading.RLock()
_saved: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
_depth = 0
_timeouts: list[float] = []
_applied: float | None = None


@contextmanager
def configured(
    name: str, definition: Mapping[str, Any], delivery_timeout: float | None
) -> Iterator[None]:
    """Inside the block Wove's environment ``name`` is ``definition``; then what it was before.

    An environment's own ``delivery_timeout`` has no effect when only the task names the
    environment, so the global one is set too where it is ``None``: to the largest of all workers.
    It then bounds local tasks as well.
    """
    from wove.runtime import runtime

    with preserved(), _defined(runtime, name, definition, delivery_timeout):
        yield


@contextmanager
def preserved() -> Iterator[None]:
    """At the end of the outermost block Wove's configuration is what it was, in place."""
    global _depth
    from wove.runtime import runtime

    with _lock:
        if _depth == 0:
            _saved.append(_snapshot(runtime))
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _restore(runtime, *_saved.pop())


@contextmanager
def _defined(
    runtime: Any, name: str, definition: Mapping[str, Any], delivery_timeout: float | None
) -> Iterator[None]:
    with _lock:
        missing = object()
        previous = runtime.environments.get(name, missing)
        mine = dict(definition)
        runtime.environments[name] = mine
        if delivery_timeout is not None:
            _timeouts.append(delivery_timeout)
            _apply_timeout(runtime)
    try:
        yield
    finally:
        with _lock:
            if delivery_timeout is not None:
                _timeouts.remove(delivery_timeout)
                _apply_timeout(runtime)
            if runtime.environments.get(name) is mine:
                if previous is missing:
                    del runtime.environments[name]
                else:
                    runtime.environments[name] = previous


def _apply_timeout(runtime: Any) -> None:
    # A value that was not set here is the user's, and stays.
    global _applied
    before, _applied = _applied, max(_timeouts, default=None)
    if runtime.global_defaults.get("delivery_timeout") == before:
        runtime.global_defaults["delivery_timeout"] = _applied


def _snapshot(runtime: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return (
        runtime.default_environment,
        {name: dict(definition) for name, definition in runtime.environments.items()},
        dict(runtime.global_defaults),
    )


def _restore(
    runtime: Any, default: str, environments: dict[str, Any], defaults: dict[str, Any]
) -> None:
    runtime.default_environment = default
    runtime.environments.clear()
    runtime.environments.update(environments)
    runtime.global_defaults.clear()
    runtime.global_defaults.update(defaults)


def url_of(name: str) -> str | None:
    """The URL that environment ``name`` sends to now; ``None`` if it is not a network one."""
    from wove.runtime import runtime

    definition = runtime.environments.get(name)
    # wove.config() merges, so a local environment may have a URL. An executor of another name, the
    # user's own, may send to it.
    if not isinstance(definition, dict) or definition.get("executor", "local") == "local":
        return None
    settings = definition.get("executor_config") or definition.get("config") or {}
    url = settings.get("url") if isinstance(settings, dict) else None
    return url if isinstance(url, str) else None
