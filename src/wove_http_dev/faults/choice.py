"""Which faults a marker means: ``all``, families (stages), names, faults in text, instances."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Any

from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS
from wove_http_dev.faults.fault import STAGES, Fault
from wove_http_dev.faults.text import parse_fault


def choose(words: Iterable[Any]) -> list[str | Fault]:
    """What ``words`` mean: names in the catalogue's order, and then, as they were given, faults
    with fields (``"status code=500"``) and instances. Lists of them are taken apart. Raises
    :class:`UsageError` for a word that is none of these, and for none at all."""
    names: set[str] = set()
    others: list[str | Fault] = []
    for word in _flat(words):
        if word == "all":
            names.update(FAULTS)
        elif word in STAGES:
            names.update(name for name, kind in FAULTS.items() if kind.stage == word)
        elif isinstance(word, str) and len(word.split()) < 2:
            if word not in FAULTS:
                close = difflib.get_close_matches(word, [*FAULTS, *STAGES], n=1)
                hint = f"did you mean {close[0]!r}?" if close else "see wove-http-dev faults"
                raise UsageError(f"unknown fault or family {word!r}; {hint}")
            names.add(word)
        elif isinstance(word, str):
            parse_fault(word, FAULTS)
            others.append(word)
        elif isinstance(word, Fault):
            others.append(word)
        else:
            raise UsageError(f"a fault is a name, a text or an instance, not {word!r}")
    if not names and not others:
        raise UsageError('say which faults: "all", names, or families ' + ", ".join(STAGES))
    return [*(name for name in FAULTS if name in names), *others]


def _flat(words: Iterable[Any]) -> Iterator[Any]:
    for word in words:
        if isinstance(word, (list, tuple, set, frozenset)):
            yield from _flat(word)
        else:
            yield word
