"""The seconds that were drawn for faults, as records of the journal have and show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Drawn = dict[str, list[float]]
"""The seconds that were drawn for faults, by the fault's name with one field:
``{"slow-response delay=0.1..0.5": [0.134]}``."""
_DRAWN_SHOWN = 5
"""Drawn numbers of one field that a line shows."""


def faults_text(names: Sequence[str], drawn: Mapping[str, Sequence[float]]) -> str:
    """Return the faults ``names`` for a person to read, with the seconds that were ``drawn`` for
    them: ``truncated-body, slow-response delay=0.1..0.5 → 0.134 s``."""
    shown: list[str] = []
    for name in names:
        texts = [text for text in drawn if text.startswith(f"{name} ")]
        shown += [f"{text} → {_seconds_text(drawn[text])}" for text in texts] or [name]
    return ", ".join(shown)


def _seconds_text(numbers: Sequence[float]) -> str:
    shown = [f"{number:.3g} s" if number < 100 else f"{number:.0f} s" for number in numbers]
    more = ["…"] if len(shown) > _DRAWN_SHOWN else []
    return ", ".join([*shown[:_DRAWN_SHOWN], *more]) or "drawn for each wait"
