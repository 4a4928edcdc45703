"""Measures how many bytes of memory a record takes; every limit in bytes uses this measure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain
from sys import getsizeof
from typing import Any

_FLAT = frozenset({str, bytes, int, float, bool, type(None)})


def size_of(value: Any, at_most: float = math.inf) -> int:
    """Return the bytes of memory that ``value`` and everything in it take: texts, payloads,
    numbers, containers and the attributes of objects. Stop when that is more than ``at_most``.

    A text that two fields share counts twice, so the sum is rather too large than too small.
    """
    total, found, seen = 0, [value], set[int]()
    for each in found:  # also what is added to it meanwhile
        if type(each) not in _FLAT:
            if id(each) in seen:
                continue
            seen.add(id(each))
            found += _contents(each)
        total += getsizeof(each)
        if total > at_most:
            break
    return total


def _contents(value: Any) -> Iterable[Any]:
    if isinstance(value, (tuple, list, set, frozenset)):
        return value
    if isinstance(value, dict):
        return chain(value, value.values())
    # The names of attributes are not counted: all objects of a class share them.
    return getattr(value, "__dict__", {}).values()
