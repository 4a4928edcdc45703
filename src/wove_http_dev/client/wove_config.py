"""Wove's process-wide configuration: an environment defined for a while.

``wove.config()`` has no reset, so ``wove.runtime.runtime`` is saved when the first worker is
configured and restored **in place** (others hold references to it) when the last one leaves,
including what a test changed with ``wove.config()`` in between. Import the application before, at
the top of the test module, so that its own configuration is part of what is saved.
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
    """Environment ``name`` is ``definition`` in Wove; one of that name is replaced, then restored.

    An environment's own ``delivery_timeout`` does nothing when only the task names the
    environment, so the global one is set too where it is ``None``; the largest among workers wins.
    It then bounds local tasks as well.
    """
    from wove.runtime import runtime

    with preserved(), _defined(runtime, name, definition, delivery_timeout):
        yield


@contextmanager
def preserved() -> Iterator[None]:
    """Wove's whole configuration is as before on exit of the outermost one, in place."""
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
    # A value that is neither None nor the one set here is the user's, and stays.
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
    # wove.config() merges, so an environment made local may still have a URL.
    # An executor of the user's own may send there as well.
    if not isinstance(definition, dict) or definition.get("executor", "local") == "local":
        return None
    settings = definition.get("executor_config") or definition.get("config") or {}
    url = settings.get("url") if isinstance(settings, dict) else None
    return url if isinstance(url, str) else None
