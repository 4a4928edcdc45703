"""``Plan``: the faults that act on one exchange, with the numbers drawn for them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

from wove_http_dev.faults.distributions import Distribution, Duration, distributions_of
from wove_http_dev.faults.fault import NO_FAULT, STAGES, Fault
from wove_http_dev.fields import TypedField
from wove_http_dev.runs.drawn import Drawn

if TYPE_CHECKING:
    from wove_http_dev.faults.injections import Injection

Wait = Callable[[Duration | None], bool]
"""Blocks for so many seconds (``None``: until released), and returns whether it was released early;
a distribution is drawn."""
DRAWN_KEPT = 100
"""Numbers drawn for one field on one exchange that are recorded, of a body that has more pieces."""
_ANY_TIME = TypedField("wait", (float,), None, unit="seconds")


class Hit:
    """One fault that acts on one exchange.

    Each distribution in a field of ``fault`` is replaced by a number drawn from it, unless the
    field is drawn by each wait. The numbers depend on ``seed``, the fault's name, the field's name,
    and, of several numbers for one field, on which of them it is.
    """

    def __init__(self, fault: Fault, injection: Injection, seed: str) -> None:
        self.injection = injection
        self.drawn: Drawn = {}
        """The numbers of seconds that were drawn."""
        self._seed = seed
        self._random: dict[str, random.Random] = {}
        self._each_wait: list[tuple[TypedField, Distribution]] = []
        self.fault = self._with_numbers(fault)

    def _with_numbers(self, fault: Fault) -> Fault:
        found = distributions_of(fault)
        if not found:
            return fault
        # A copy, which runs no constructor again: a fault of a user's own may count in a list.
        numbers = copy.copy(fault)
        for field, distribution in found:
            if field.each_wait:
                self.drawn[f"{fault.name} {field.name}={distribution}"] = []
                self._each_wait.append((field, distribution))
            else:
                seconds = self._draw(fault.name, field, distribution)
                object.__setattr__(numbers, field.name, seconds)
        return numbers

    def _draw(self, name: str, field: TypedField, distribution: Distribution) -> float:
        source = self._random.get(field.name)
        if source is None:
            source = self._random[field.name] = random.Random(f"{self._seed}|{name} {field.name}")
        seconds = distribution.draw(source.random(), field)
        numbers = self.drawn.setdefault(f"{name} {field.name}={distribution}", [])
        if len(numbers) < DRAWN_KEPT:
            numbers.append(seconds)
        return seconds

    def wait(self, seconds: Duration | None) -> bool:
        """Block for ``seconds``; of a distribution, for the next number drawn from it."""
        if isinstance(seconds, Distribution):
            field = next((f for f, each in self._each_wait if each is seconds), _ANY_TIME)
            seconds = self._draw(self.fault.name, field, seconds)
        return self.injection.wait(seconds)


class Plan:
    """The faults that act on one exchange: at most one for each stage."""

    def __init__(self) -> None:
        self._hits: dict[str, Hit] = {}  # in the order of the stages

    def add(self, fault: Fault, injection: Injection, seed: str) -> None:
        """Let ``fault`` act, with numbers that depend on ``seed``."""
        self._hits[fault.stage] = Hit(fault, injection, seed)
        self._hits = {stage: self._hits[stage] for stage in STAGES if stage in self._hits}

    def hit(self, stage: str) -> Hit | None:
        """Return the fault that hits ``stage`` of the request; ``None`` if none does."""
        return self._hits.get(stage)

    def fault(self, stage: str) -> Fault:
        """Return the fault to apply at ``stage`` of the request, or the null fault (which changes
        nothing) if none hits it there."""
        hit = self._hits.get(stage)
        return hit.fault if hit is not None else NO_FAULT

    def wait(self, stage: str) -> Wait:
        """Return the function with which the fault of ``stage`` waits."""
        hit = self._hits.get(stage)
        return hit.wait if hit is not None else _no_wait

    @property
    def names(self) -> list[str]:
        """The names of the faults, in the order of the stages."""
        return [hit.fault.name for hit in self._hits.values()]

    @property
    def drawn(self) -> Drawn:
        """The numbers drawn for the faults; those of a distribution that each wait draws are added
        to the lists in it."""
        return {text: drawn for hit in self._hits.values() for text, drawn in hit.drawn.items()}


def _no_wait(seconds: Duration | None) -> bool:
    return True


NO_PLAN = Plan()
