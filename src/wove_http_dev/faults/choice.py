"""Which faults a marker or a command line means: ``all``, families (stages), names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from wove_http_dev.errors import UsageError
from wove_http_dev.faults import FAULTS
from wove_http_dev.faults.base import STAGES


def choose(words: Sequence[str]) -> list[str]:
    """The names meant by ``words``, in the catalogue's order. Raises :class:`UsageError` for a
    word that is neither, and for none at all."""
    if not words:
        raise UsageError('say which faults: "all", names, or families ' + ", ".join(STAGES))
    chosen: set[str] = set()
    for word in words:
        if word == "all":
            chosen.update(FAULTS)
        elif word in STAGES:
            chosen.update(name for name, kind in FAULTS.items() if kind.stage == word)
        elif word in FAULTS:
            chosen.add(word)
        else:
            close = difflib.get_close_matches(word, [*FAULTS, *STAGES], n=1)
            hint = f"did you mean {close[0]!r}?" if close else "see wove-http-dev faults"
            raise UsageError(f"unknown fault or family {word!r}; {hint}")
    return [name for name in FAULTS if name in chosen]
