"""Recognises an object that was seen before: the very object, not an equal one."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Iterator
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from wove_http_dev.protocol.frames import dumps

PARTS = 2000
"""Objects of a value that are looked at."""
_LEVELS = 6
"""Containers inside one another that are looked into."""
_SHARED = (
    bool,
    complex,
    enum.Enum,
    type,
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    ModuleType,
    type(None),
    type(...),
    type(NotImplemented),
    BaseException,
)
"""Of such objects the same one is met everywhere, or its identity says nothing of a result."""
_SEQUENCES: tuple[Any, ...] = (list, tuple, set, frozenset)
_SMALL = 1024
"""Integers near zero, down to its negative, that an interpreter may keep one object of (-5 to 256
in CPython 3.13)."""


def has_identity(value: Any) -> bool:
    """Whether two equal values of this kind that were made separately are two objects."""
    if isinstance(value, _SHARED):
        return False
    if isinstance(value, int):
        return abs(value) > _SMALL
    if isinstance(value, (str, bytes)):
        return len(value) > 1
    return value not in ((), frozenset()) if isinstance(value, (tuple, frozenset)) else True


def parts(value: Any, *, attributes: bool = True, shared: bool = False) -> Iterator[Any]:
    """Yield ``value`` and what is in it, at most :data:`PARTS` objects, as far as they have an
    identity, or all with ``shared``. ``attributes`` says whether the attributes of objects belong
    to them. No method of a user's class is called."""
    seen: set[int] = set()
    waiting = [(value, 0)]
    while waiting and len(seen) < PARTS:
        each, level = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if shared or has_identity(each):
            yield each
        if level < _LEVELS:
            waiting += [(item, level + 1) for item in _items(each, attributes)]


def _items(value: Any, attributes: bool) -> Iterable[Any]:
    if isinstance(value, dict):
        return list(dict.values(value))[:PARTS]
    for kind in _SEQUENCES:
        if isinstance(value, kind):
            return list(kind.__iter__(value))[:PARTS]
    return attributes_of(value) if attributes else ()


def attributes_of(value: Any) -> list[Any]:
    """Return what is in the attributes of an object of a user's class, at most :data:`PARTS`
    objects. No method of its class is called."""
    if isinstance(value, _SHARED):
        return []
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return [found for name in names if (found := _attribute(value, name)) is not None]
    try:
        found = object.__getattribute__(value, "__dict__")
    except Exception:  # it has none, or a property that raises
        return []
    return list(found.values())[:PARTS] if type(found) is dict else []


def _attribute(value: Any, name: str) -> Any:
    try:
        return object.__getattribute__(value, name)
    except Exception:  # not set, or a property that raises
        return None


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are equal, or have the same pickle. True if they can neither be
    compared nor pickled, but have the same type."""
    try:
        if one is other or bool(one == other):
            return True
    except Exception:  # numpy's arrays, and what a user's __eq__ raises
        pass
    try:
        return dumps(one) == dumps(other)
    except Exception:
        return type(one) is type(other)
