"""Measures how many bytes of memory a record takes; every limit in bytes uses this measure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain
from sys import getsizeof
from typing import Any

_FLAT = frozenset({str, bytes, int, float, bool})


def size_of(value: Any, at_most: float = math.inf) -> int:
    """Return the bytes of memory that ``value`` and everything in it take: texts, payloads,
    numbers, containers and the attributes of objects. Stop when that is more than ``at_most``.

    A text that two fields share counts twice, so the sum is rather too large than too small.
    """
    if type(value) in _FLAT:
        return getsizeof(value)
    total, waiting, seen = 0, [value], {id(value)}
    while waiting and total <= at_most:
        container = waiting.pop()
        total += getsizeof(container)
        for each in _contents(container):
            if type(each) in _FLAT:
                total += getsizeof(each)
                if total > at_most:
                    return total
            elif each is not None and id(each) not in seen:
                seen.add(id(each))
                waiting.append(each)
    return total


def _contents(value: Any) -> Iterable[Any]:
    if isinstance(value, (tuple, list, set, frozenset)):
        return value
    if isinstance(value, dict):
        return chain(value, value.values())
    # The names of attributes are not counted: all objects of a class share them.
    return getattr(value, "__dict__", {}).values()
