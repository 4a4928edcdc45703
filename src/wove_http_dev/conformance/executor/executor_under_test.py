"""The executor under test: one of Wove's own, selected by name, or a user's, made by a function
that is given as ``MODULE:FACTORY``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.user_errors import one_line_errors

BUILTIN_NAMES = ("http", "https")


@dataclass(frozen=True)
class ExecutorUnderTest:
    """The executor under test. ``make()`` returns a new value for the ``executor`` entry of a Wove
    environment."""

    label: str
    make: Callable[[], Any] = field(repr=False)
    builtin: bool = False
    """Whether the executor is one of Wove's own."""


def builtin_executor(name: str) -> ExecutorUnderTest:
    """Return Wove's own executor called ``name``. Raises :class:`UsageError` if there is none."""
    if name not in BUILTIN_NAMES:
        raise UsageError(f"--executor takes {' or '.join(BUILTIN_NAMES)}, not {name!r}")
    return ExecutorUnderTest(f"executor {name}", lambda: name, builtin=True)


def load_executor(spec: str) -> ExecutorUnderTest:
    """Import the function in ``spec`` (``MODULE:FACTORY``), call it once as a test, and return the
    executor under test.

    Raises :class:`UsageError` with a one-line message if the import or the call fails, or if the
    function does not return an executor.
    """
    module_name, colon, path = spec.partition(":")
    if not colon or not module_name or not path:
        raise UsageError(f"{spec!r} is not MODULE:FACTORY, e.g. myapp.executors:make_executor")
    with one_line_errors(f"{spec} cannot be imported"):
        factory: Any = importlib.import_module(module_name)
    for name in path.split("."):
        if not hasattr(factory, name):
            raise UsageError(f"{spec}: {module_name} has no {path}")
        factory = getattr(factory, name)
    if not callable(factory):
        raise UsageError(f"{spec} is not callable: its type is {type(factory).__name__}")
    with one_line_errors(f"{spec} cannot be called"):
        made = factory()
    _require_executor(spec, made)
    return ExecutorUnderTest(spec, lambda: _require_executor(spec, factory()))


def _require_executor(spec: str, made: Any) -> Any:
    """Return ``made``, which the factory ``spec`` returned. Raises :class:`UsageError` if it is not
    an executor."""
    from wove.environment import EnvironmentExecutor

    if inspect.iscoroutine(made):
        made.close()  # else Python warns that it was never awaited
        raise UsageError(f"{spec} is called, not awaited: name a plain function")
    if not isinstance(made, EnvironmentExecutor):
        raise UsageError(
            f"{spec} returned an object of type {type(made).__name__}, which is not a"
            " wove.environment.EnvironmentExecutor"
        )
    return made
