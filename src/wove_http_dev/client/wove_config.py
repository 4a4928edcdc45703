"""Defines a Wove environment for a block, and restores Wove's process-wide configuration after it.

``wove.config()`` has no reset. So ``wove.runtime.runtime`` is saved when the first worker is
configured and restored when the last one is no longer configured. Changes that a test made with
``wove.config()`` in between are undone too. The object is restored **in place**, because other
modules hold references to it. Import the application first, at the top of the test module, so that
its own configuration is saved as well.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from wove_http_dev.client.restore import restored_by

_EXECUTORS = ("http", "https")
_lock = threading.RLock()
_saved: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
_depth = 0
_timeouts: dict[int, float] = {}
"""The delivery timeout of each definition in force, by its identity."""
_applied: float | None = None


@contextmanager
def configured(
    name: str,
    definition: Mapping[str, Any],
    delivery_timeout: float | None,
    *,
    default: bool = False,
) -> Iterator[None]:
    """Define Wove's environment ``name`` as ``definition`` until the block ends; with ``default``
    it is Wove's default environment, in which tasks without one run.

    An environment's own ``delivery_timeout`` has no effect when only the task names the
    environment. So the global one is set too if it is ``None``, to the largest of all workers; it
    then limits local tasks as well.
    """
    from wove.runtime import runtime

    with ExitStack() as stack:
        stack.enter_context(preserved())
        stack.enter_context(_defined(runtime, name, definition, delivery_timeout))
        if default:
            stack.enter_context(_default_environment(runtime, name))
        yield


@contextmanager
def _default_environment(runtime: Any, name: str) -> Iterator[None]:
    previous = name

    def restore() -> None:
        with _lock:
            if runtime.default_environment == name:
                runtime.default_environment = previous

    with restored_by(restore):
        with _lock:
            previous = runtime.default_environment
            runtime.default_environment = name
        yield


@contextmanager
def preserved() -> Iterator[None]:
    """Restore Wove's configuration, in place, when the outermost block ends."""
    global _depth
    from wove.runtime import runtime

    entered = False

    def restore() -> None:
        nonlocal entered
        global _depth
        with _lock:
            if entered and _depth == 1:
                default, environments, defaults = _saved[0]
                runtime.default_environment = default
                runtime.environments.clear()
                runtime.environments.update(environments)
                runtime.global_defaults.clear()
                runtime.global_defaults.update(defaults)
            if entered:
                _depth -= 1
                entered = False

    with restored_by(restore):
        with _lock:
            if _depth == 0:
                _saved[:] = [_snapshot(runtime)]
            _depth += 1
            entered = True
        yield


@contextmanager
def _defined(
    runtime: Any, name: str, definition: Mapping[str, Any], delivery_timeout: float | None
) -> Iterator[None]:
    missing = object()
    previous: Any = missing
    mine = dict(definition)

    def restore() -> None:
        with _lock:
            if runtime.environments.get(name) is mine:
                if previous is missing:
                    del runtime.environments[name]
                else:
                    runtime.environments[name] = previous
            if delivery_timeout is not None:
                _timeouts.pop(id(mine), None)
                _apply_timeout(runtime)

    with restored_by(restore):
        with _lock:
            previous = runtime.environments.get(name, missing)
            runtime.environments[name] = mine
            if delivery_timeout is not None:
                _timeouts[id(mine)] = delivery_timeout
                _apply_timeout(runtime)
        yield


def _apply_timeout(runtime: Any) -> None:
    # A value that this module did not set is the user's, and is kept.
    global _applied
    wanted = max(_timeouts.values(), default=None)
    if runtime.global_defaults.get("delivery_timeout") == _applied:
        runtime.global_defaults["delivery_timeout"] = wanted
    _applied = wanted


def _snapshot(runtime: Any) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return (
        runtime.default_environment,
        {name: dict(definition) for name, definition in runtime.environments.items()},
        dict(runtime.global_defaults),
    )


def default_environment() -> str:
    """Return the name of the environment of tasks that name none."""
    from wove.runtime import runtime

    return str(runtime.default_environment)


def sends_over_http(definition: Any) -> bool:
    """Whether a Wove environment of this definition sends its tasks to a worker service."""
    return isinstance(definition, Mapping) and definition.get("executor") in _EXECUTORS


def url_of(name: str) -> str | None:
    """Return the URL that environment ``name`` sends to; ``None`` if it is not a network
    environment."""
    from wove.runtime import runtime

    definition = runtime.environments.get(name)
    # wove.config() merges, so a local environment may have a URL too. Any other executor, even a
    # user's own, may send to its URL.
    if not isinstance(definition, dict) or definition.get("executor", "local") == "local":
        return None
    settings = definition.get("executor_config") or definition.get("config") or {}
    url = settings.get("url") if isinstance(settings, dict) else None
    return url if isinstance(url, str) else None
