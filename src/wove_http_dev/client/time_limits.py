"""Shortens the time limits of Wove's remote tasks for a block, so that a worker that never answers
costs little time.

Limits are shortened where a weave uses them, and not in ``wove.config()``: an application may call
that at any time, and a task may have a limit of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from wove_http_dev.client.restore import restored_by
from wove_http_dev.client.wove_config import sends_over_http

_lock = threading.RLock()


class TimeLimits(NamedTuple):
    """The longest time limits, in seconds."""

    timeout: float
    """Of the executor, for a request."""
    delivery_timeout: float
    """Of Wove, for the delivery of a task."""


@contextmanager
def shortened(limits: TimeLimits, kept: Collection[str] = ()) -> Iterator[None]:
    """Let no task of an http or https environment have a longer limit than ``limits``, until the
    block ends. A limit that is not set stays so. Environments whose names are in ``kept``, which
    may change meanwhile, keep their limits."""
    from wove.environment import ExecutorRuntime

    def applies(name: Any, definition: Any) -> bool:
        return sends_over_http(definition) and name not in kept

    def ensure_environment(original: Any) -> Any:
        async def replacement(self: Any, environment_name: str, definition: Any) -> Any:
            if applies(environment_name, definition):
                config = definition.get("executor_config") or {}
                shorter = _capped(config, "timeout", limits.timeout)
                definition = {**definition, "executor_config": shorter}
            return await original(self, environment_name, definition)

        return replacement

    def run_task(original: Any) -> Any:
        async def replacement(self: Any, *, task_info: Any, **words: Any) -> Any:
            name = task_info.get("environment")
            if applies(name, self._environment_definitions.get(name)):
                task_info = _capped(task_info, "delivery_timeout", limits.delivery_timeout)
            return await original(self, task_info=task_info, **words)

        return replacement

    with ExitStack() as stack:
        stack.enter_context(_replaced(ExecutorRuntime, "ensure_environment", ensure_environment))
        stack.enter_context(_replaced(ExecutorRuntime, "run_task", run_task))
        yield


def _capped(settings: Mapping[str, Any], name: str, limit: float) -> dict[str, Any]:
    """Return ``settings`` with at most ``limit`` as the value of ``name``, if it is a number."""
    value = settings.get(name)
    if isinstance(value, (int, float)) and value > limit:
        return {**settings, name: limit}
    return dict(settings)


@contextmanager
def _replaced(owner: type, name: str, wrapped: Callable[[Any], Any]) -> Iterator[None]:
    """Replace a method until the block ends; one that was replaced again meanwhile is kept."""
    original = getattr(owner, name)
    replacement = wrapped(original)

    def restore() -> None:
        with _lock:
            if getattr(owner, name) is replacement:
                setattr(owner, name, original)

    with restored_by(restore):
        with _lock:
            setattr(owner, name, replacement)
        yield
