"""The outcome of a run or weave of the executor under test, whose text says where in the executor's
code an error was raised."""

from __future__ import annotations

from dataclasses import dataclass

from wove_http_dev.user_errors import place_of
from wove_http_dev.weave_outcome import WeaveOutcome


@dataclass(frozen=True)
class PlacedOutcome(WeaveOutcome):
    """A :class:`WeaveOutcome` with the place of its error in its text."""

    def __str__(self) -> str:
        return super().__str__() + (place_of(self.error) if self.error is not None else "")


def placed(outcome: WeaveOutcome) -> PlacedOutcome:
    """Return ``outcome`` with the place of its error in its text."""
    return PlacedOutcome(outcome.kind, outcome.value, outcome.error, outcome.seconds)
