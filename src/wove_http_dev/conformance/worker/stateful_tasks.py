"""Task functions that keep state in every place in which a function can keep it, so that a run sees
whether its function was called before. Like those of ``tasks`` they are pickled by value."""

from __future__ import annotations

import types
from typing import Any

from wove_http_dev.conformance.worker.pickles import by_value

CALLS: list[int] = []
"""Only a name for the global variable of the copies; this list stays empty."""


def counting() -> Any:
    """Return a new function without arguments that returns how many calls it has seen before, by
    the place that it has counted them in."""
    enclosed: list[int] = []

    def count_calls(default: Any = None) -> dict[str, int]:
        lists = {
            "a default argument": default,
            "an attribute of the function": vars(count_calls)["calls"],
            "a variable of an enclosing function": enclosed,
            "a global variable": CALLS,
        }
        seen = {place: len(calls) for place, calls in lists.items()}
        for calls in lists.values():
            calls.append(1)
        return seen

    copy = _copied(count_calls, {"enclosed": enclosed})
    copy.__closure__[_free(copy).index("count_calls")].cell_contents = copy
    copy.__defaults__ = ([],)
    copy.__dict__["calls"] = []
    return copy


def counting_async() -> Any:
    """Return a new coroutine function that does what one of :func:`counting` does."""
    count = counting()

    async def count_calls_async() -> Any:
        return count()

    return _copied(count_calls_async, {"count": count})


def _free(function: Any) -> tuple[str, ...]:
    return tuple(function.__code__.co_freevars)


def _copied(function: Any, enclosed: dict[str, Any]) -> Any:
    """Return a copy of ``function`` with globals of its own, and with the values ``enclosed`` in
    the variables of enclosing functions."""
    cells = tuple(types.CellType(enclosed.get(name)) for name in _free(function))
    return by_value(function, {"CALLS": []}, cells)
