"""The pickles that the cases send: of task functions, by value (with their code, not as an import
path), and of objects that do something when they are loaded.

A function pickled by value loads only on the same Python major.minor version, which Wove requires
as well.
"""

from __future__ import annotations

import builtins
import functools
import pickletools
import types
from collections.abc import Callable, Mapping
from typing import Any

import cloudpickle

from wove_http_dev.conformance.worker import tasks, unusual_tasks

MODULE = "wove_conformance_task"
"""The name of a module that does not exist, so that cloudpickle sends the function's code instead
of an import path."""
_TASKS = (tasks, unusual_tasks)
_MODULES = tuple(module.__name__ for module in _TASKS)
_NO_VARIABLES: Mapping[str, Any] = types.MappingProxyType({})


def by_value(
    function: Callable[..., Any],
    variables: Mapping[str, Any] = _NO_VARIABLES,
    cells: tuple[types.CellType, ...] | None = None,
) -> Any:
    """Return a copy of ``function`` that cloudpickle pickles with its code, not as an import path.

    The copy has the global ``variables`` and the built-ins, and no other globals; its closure is
    ``cells``.
    """
    assert isinstance(function, types.FunctionType)
    scope = {"__name__": MODULE, "__builtins__": builtins, **variables}
    copy = types.FunctionType(
        function.__code__, scope, function.__name__, function.__defaults__, cells
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__module__ = MODULE
    copy.__qualname__ = function.__name__
    return copy


def in_coroutine(function: Any, args: Any = None) -> tuple[Any, dict[str, Any]]:
    """Return a coroutine function that calls ``function`` with the arguments ``args``, and the
    arguments for that coroutine function."""
    return unusual_tasks.call_async, {"function": by_value(function), "arguments": args or {}}


def pickled(value: Any) -> bytes:
    """Return the pickle of ``value``, made as Wove does. A function of ``tasks``, or of
    ``unusual_tasks``, is pickled with its code."""
    if isinstance(value, types.FunctionType) and value.__module__ in _MODULES:
        return _pickled_function(value)
    return bytes(cloudpickle.dumps(value))


@functools.cache  # a check sends the same functions again and again
def _pickled_function(function: Callable[..., Any]) -> bytes:
    return bytes(cloudpickle.dumps(by_value(function)))


@functools.lru_cache(maxsize=128)
def name_in(payload: bytes) -> str:
    """Return the name of the function in the pickle ``payload``, or an empty string.

    Only the functions of ``tasks`` and of ``unusual_tasks``, ``dict`` and ``eval`` are recognised.
    Nothing is unpickled.
    """
    known = _known_names()
    try:
        for _, argument, _ in pickletools.genops(payload):
            if isinstance(argument, str) and argument in known:
                return argument
    except ValueError:
        pass
    return ""


@functools.cache
def _known_names() -> frozenset[str]:
    values = {name: value for module in _TASKS for name, value in vars(module).items()}
    functions = (name for name, value in values.items() if isinstance(value, types.FunctionType))
    return frozenset((*functions, "dict", "eval"))


def async_object() -> Any:
    """Return an object whose ``__call__`` is a coroutine function. Its class is pickled with its
    code."""
    return type("AsyncObject", (), {"__call__": by_value(tasks.called), "__module__": MODULE})()


class OnLoad:
    """An object whose pickle, when it is loaded, evaluates the Python expression ``expression``."""

    def __init__(self, expression: str) -> None:
        self.expression = expression

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return eval, (self.expression,)


def report_on_load(host: str, port: int, token: str) -> OnLoad:
    """Return an object whose pickle, when it is loaded, connects to the checker and sends
    ``token``."""
    connected = f"__import__('socket').create_connection(({host!r}, {port!r}), 3)"
    return OnLoad(f"(lambda s: (s.sendall({token.encode()!r}), s.close()))({connected})")


class WaitingOnLoad:
    """An object whose pickle, while it is loaded, is connected to the checker at ``address``, until
    the checker releases it, at most 60 s; then it is ``value``. The checker must not ping it."""

    def __init__(self, address: dict[str, Any], value: Any) -> None:
        self.address, self.value = address, value

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return by_value(unusual_tasks.wait), (*self.address.values(), self.value)
