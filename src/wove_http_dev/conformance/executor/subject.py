"""The executor under check: one of Wove's own by name, or what a factory of somebody's makes.

It imports and calls what the user named and turns every failure of that into one line. It does not
start an executor, and does not know what one does.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wove_http_dev.errors import UsageError

NAMES = ("http", "https")


@dataclass(frozen=True)
class Subject:
    """``make()`` is what an environment's ``executor`` is, a fresh one for each weave."""

    label: str
    make: Callable[[], Any] = field(repr=False)
    builtin: bool = False
    """Whether it is Wove's own."""


def named(name: str) -> Subject:
    """Wove's own executor called ``name``. Raises :class:`UsageError` for another name."""
    if name not in NAMES:
        raise UsageError(f"--executor takes {' or '.join(NAMES)}, not {name!r}")
    return Subject(f"executor {name}", lambda: name, builtin=True)


def loaded(spec: str) -> Subject:
    """What ``MODULE:FACTORY`` makes; tried once.

    Raises :class:`UsageError` if it cannot be imported or called, or makes no executor.
    """
    module_name, colon, path = spec.partition(":")
    if not colon or not module_name or not path:
        raise UsageError(f"{spec!r} is not MODULE:FACTORY, e.g. myapp.executors:make_executor")
    factory: Any = _tried(spec, "cannot be imported", lambda: importlib.import_module(module_name))
    for name in path.split("."):
        if not hasattr(factory, name):
            raise UsageError(f"{spec}: {module_name} has no {path}")
        factory = getattr(factory, name)
    if not callable(factory):
        raise UsageError(f"{spec} is no callable but {type(factory).__name__}")
    _tried(spec, "cannot be called", lambda: _executor_of(spec, factory))
    return Subject(spec, lambda: _executor_of(spec, factory))


def _executor_of(spec: str, factory: Callable[[], Any]) -> Any:
    from wove.environment import EnvironmentExecutor

    made = factory()
    if not isinstance(made, EnvironmentExecutor):
        raise UsageError(
            f"{spec} returned {type(made).__name__}, which is no wove.environment"
            ".EnvironmentExecutor"
        )
    return made


def _tried(spec: str, what: str, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except (UsageError, KeyboardInterrupt):
        raise
    except BaseException as exc:  # SystemExit as well: somebody's module is not ours to end with
        why = " ".join(f"{type(exc).__name__}: {exc}".split())
        raise UsageError(f"{spec} {what}: {why}") from exc
