"""Measures how many bytes of memory a value takes."""

from __future__ import annotations

import math
from collections.abc import Collection
from sys import getsizeof
from typing import Any

_FLAT = frozenset({str, bytes, int, float, bool, type(None)})


def size_of(value: Any, at_most: float = math.inf) -> int:
    """Return the bytes of memory that ``value`` and everything in it take: texts, payloads,
    numbers, containers and the attributes of objects. Stop when that is more than ``at_most``.

    A text that two fields share counts twice, so the sum is rather too large than too small.
    """
    total, found = getsizeof(value), [value]
    seen: set[int] = set()  # set[int]() takes ten times as long
    for each in found:  # also what is added to it meanwhile
        if total > at_most:
            break
        if id(each) in seen:
            total -= getsizeof(each)
            continue
        seen.add(id(each))
        contents = _contents(each)
        total += sum(map(getsizeof, contents))
        if not _FLAT.issuperset(map(type, contents)):
            found += [one for one in contents if type(one) not in _FLAT]
    return total


def _contents(value: Any) -> Collection[Any]:
    if isinstance(value, (tuple, list, set, frozenset)):
        return value
    if isinstance(value, dict):
        return [*value, *value.values()]
    # Not counted are the names of attributes, which all objects of a class share, and empty values,
    # most of which are shared too.
    return list(filter(None, getattr(value, "__dict__", {}).values()))
