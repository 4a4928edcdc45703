"""Distributions: durations of a fault that are drawn at random, as text and as values.

As text: ``0.1..0.5`` (uniform), ``normal(mean=0.3,sd=0.1)``, ``lognormal(median=0.2,sigma=1)``,
``exponential(mean=0.2)``. As values: :class:`Uniform`, :class:`Normal`, :class:`LogNormal` and
:class:`Exponential`, whose ``str`` is the text.

A drawn number is computed from one random number by the inverse of the distribution function, so
that it is always within bounds, and the same on every platform and Python. ``faults.plan`` draws.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from wove_http_dev.errors import UsageError
from wove_http_dev.fields import LONGEST, TextValue, TypedField, fields_of
from wove_http_dev.spelling import did_you_mean

if TYPE_CHECKING:
    from statistics import NormalDist

TAIL = 0.001
"""The part of a normal, lognormal or exponential distribution that is cut off at each open end, so
that no test waits for an outlier: a lognormal number is at most ``median * exp(3.09 * sigma)``, an
exponential one at most 6.91 means."""
_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_RANGE = re.compile(r"([0-9.eE]+)\s*(?:-|,|:|~|\.{3,}|to)\s*([0-9.eE]+)")


def _standard() -> NormalDist:
    from statistics import NormalDist  # and with it decimal and fractions

    return NormalDist()


def _parameter(name: str, above: float | None = None, most: float = LONGEST) -> TypedField:
    return TypedField(name, (float,), None, above=above, most=most)


@dataclass(frozen=True)
class Distribution(TextValue):
    """A distribution of seconds: base class of :class:`Uniform`, :class:`Normal`,
    :class:`LogNormal` and :class:`Exponential`.

    Raises :class:`UsageError` for a parameter that is not finite, or not within its bounds.
    """

    phrase: ClassVar[str] = "a distribution such as 0.1..0.5"
    short: ClassVar[str] = "a distribution"
    word: ClassVar[str] = ""
    """The name in text."""
    example: ClassVar[str] = ""
    """A distribution of this kind as text."""
    parameters: ClassVar[tuple[TypedField, ...]] = ()
    """The parameters, with their bounds."""
    drawn_part: ClassVar[tuple[float, float]] = (TAIL, 1 - TAIL)
    """The part of the distribution from which numbers are drawn, as probabilities."""

    def __post_init__(self) -> None:
        if not self.parameters:
            kinds = ", ".join(kind.__name__ for kind in DISTRIBUTIONS.values())
            raise UsageError(f"{type(self).__name__} is not one of {kinds}; use one of these")
        for each in self.parameters:
            value = getattr(self, each.name)
            each.check(value, self.word)
            object.__setattr__(self, each.name, float(value) + 0.0)  # -0.0 is 0.0

    def __str__(self) -> str:
        given = (f"{each.name}={_text(getattr(self, each.name))}" for each in self.parameters)
        return f"{self.word}({','.join(given)})"

    @classmethod
    def from_text(cls, text: str) -> Distribution | None:
        return _parse(text.strip())

    def misfit(self, field: TypedField) -> str:
        name = self.parameters[0].name  # the mean or median, which is within the bounds
        value = getattr(self, name)
        if value < field.least or (field.above is not None and value <= field.above):
            return f"has its {name} below that"
        return f"has its {name} above that" if value > field.most else ""

    def quantile(self, part: float) -> float:
        """Return the number below which ``part`` (between 0 and 1) of all numbers are."""
        raise NotImplementedError

    def part_below(self, number: float) -> float:
        """Return the part, between 0 and 1, of all numbers that are below ``number``: the inverse
        of :meth:`quantile`."""
        raise NotImplementedError

    def draw(self, chance: float, field: TypedField) -> float:
        """Return the number of seconds that belongs to ``chance``, a random number between 0 and 1.

        It is within the bounds of ``field``, and from the middle of the distribution: at each end
        that is open, :data:`TAIL` of it is cut off.
        """
        least = max(field.least, 0.0)
        if field.above is not None:
            least = max(least, math.nextafter(field.above, math.inf))
        most = min(field.most, LONGEST)
        low = max(self.drawn_part[0], self.part_below(least))
        high = min(self.drawn_part[1], self.part_below(most))
        # Rounding may lead a little beyond a bound.
        return min(max(self.quantile(low + chance * (high - low)), least), most)


@dataclass(frozen=True)
class Uniform(Distribution):
    """Every number from ``low`` to ``high`` seconds is as probable: as text ``0.1..0.5``."""

    word: ClassVar[str] = "uniform"
    example: ClassVar[str] = "0.1..0.5"
    parameters: ClassVar[tuple[TypedField, ...]] = (
        _parameter("low"),
        _parameter("high"),
    )
    drawn_part: ClassVar[tuple[float, float]] = (0.0, 1.0)
    low: float
    high: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > self.high:
            advice = f"did you mean {_text(self.high)}..{_text(self.low)}?"
            raise UsageError(f"{self} begins above its end; {advice}")

    def __str__(self) -> str:
        return f"{_text(self.low)}..{_text(self.high)}"

    def misfit(self, field: TypedField) -> str:
        if self.low < field.least or (field.above is not None and self.low <= field.above):
            return "begins below that"
        return "ends above that" if self.high > field.most else ""

    def quantile(self, part: float) -> float:
        return min(self.low + part * (self.high - self.low), self.high)

    def part_below(self, number: float) -> float:
        if self.low < number < self.high:
            return (number - self.low) / (self.high - self.low)
        return float(number >= self.high)


@dataclass(frozen=True)
class Normal(Distribution):
    """A normal distribution, with its ``mean`` and standard deviation ``sd`` in seconds: as text
    ``normal(mean=0.3,sd=0.1)``. What is below 0 is cut off, so that the numbers drawn have a larger
    mean where much of it is."""

    word: ClassVar[str] = "normal"
    example: ClassVar[str] = "normal(mean=0.3,sd=0.1)"
    parameters: ClassVar[tuple[TypedField, ...]] = (
        _parameter("mean"),
        _parameter("sd", above=0.0),
    )
    mean: float
    sd: float

    def quantile(self, part: float) -> float:
        return self.mean + self.sd * _standard().inv_cdf(part)

    def part_below(self, number: float) -> float:
        return _standard().cdf((number - self.mean) / self.sd)


@dataclass(frozen=True)
class LogNormal(Distribution):
    """A lognormal distribution, as the response times of most services have: half of the numbers
    are below ``median`` seconds, and their logarithm has the standard deviation ``sigma`` (0.5: few
    are slow, 1: some are very slow). As text ``lognormal(median=0.2,sigma=1)``."""

    word: ClassVar[str] = "lognormal"
    example: ClassVar[str] = "lognormal(median=0.2,sigma=1)"
    parameters: ClassVar[tuple[TypedField, ...]] = (
        _parameter("median", above=0.0),
        _parameter("sigma", above=0.0, most=10.0),
    )
    median: float
    sigma: float

    def quantile(self, part: float) -> float:
        return self.median * math.exp(self.sigma * _standard().inv_cdf(part))

    def part_below(self, number: float) -> float:
        if number <= 0.0:
            return 0.0
        return _standard().cdf((math.log(number) - math.log(self.median)) / self.sigma)


@dataclass(frozen=True)
class Exponential(Distribution):
    """An exponential distribution with its ``mean`` in seconds: the time until something happens
    that is as probable at every moment. As text ``exponential(mean=0.2)``."""

    word: ClassVar[str] = "exponential"
    example: ClassVar[str] = "exponential(mean=0.2)"
    parameters: ClassVar[tuple[TypedField, ...]] = (_parameter("mean", above=0.0),)
    drawn_part: ClassVar[tuple[float, float]] = (0.0, 1 - TAIL)
    mean: float

    def quantile(self, part: float) -> float:
        return -self.mean * math.log1p(-part)

    def part_below(self, number: float) -> float:
        return -math.expm1(-number / self.mean)


Duration = float | Distribution
"""The type of a fault's field that takes a number of seconds, or a distribution of them."""
DISTRIBUTIONS: Mapping[str, type[Distribution]] = MappingProxyType(
    {kind.word: kind for kind in (Uniform, Normal, LogNormal, Exponential)}
)
"""All distributions, by their name in text."""


def drawn(duration: Duration) -> float:
    """Return the number of seconds in a fault's field of the type ``Duration``, for a type checker.

    In the method of a fault a distribution was replaced by the number drawn from it; raises
    :class:`UsageError` for one that was not.
    """
    if isinstance(duration, Distribution):
        raise UsageError(
            f"{duration} is not drawn yet: a worker draws a number when the fault hits a request"
        )
    return duration


def distributions_of(instance: Any) -> list[tuple[TypedField, Distribution]]:
    """Return the fields of the dataclass ``instance`` that are distributions."""
    return [
        (each, value)
        for name, each in fields_of(type(instance)).items()
        if isinstance(value := getattr(instance, name), Distribution)
    ]


def takes_distribution(field: TypedField) -> bool:
    """Whether ``field`` takes a distribution."""
    return Distribution in field.kinds


def _parse(text: str) -> Distribution | None:
    """Return the distribution that ``text`` writes; ``None`` if it looks like something else."""
    low, dots, high = text.partition("..")
    if dots and "(" not in text:
        if high.startswith("."):
            raise UsageError(f"{text}: write two dots; did you mean {low}..{high.strip('.')}?")
        ends = {"low": _number(low, text), "high": _number(high, text)}
        return _made(Uniform, ends, text)
    if (pair := _RANGE.fullmatch(text)) is not None and _is_number(pair[1], pair[2]):
        raise UsageError(f"{text}: did you mean {pair[1]}..{pair[2]}?")
    call = _CALL.fullmatch(text)
    name = text.partition("(")[0].strip().lower()
    if call is None and "(" not in text and name not in DISTRIBUTIONS:
        return None
    kind = DISTRIBUTIONS.get(name)
    if kind is None:
        forms = ", ".join(each.example for each in DISTRIBUTIONS.values())
        advice = did_you_mean(name, DISTRIBUTIONS, f"there are {forms}")
        raise UsageError(f"{text}: unknown distribution {name!r}; {advice}")
    if call is None:
        raise UsageError(f"{text}: write it as {kind.example}")
    return _made(kind, _arguments(kind, call[2], text), text)


def _made(kind: type[Distribution], values: dict[str, float], text: str) -> Distribution:
    for each in kind.parameters:
        each.check(values[each.name], text)  # with the text in the message
    return kind(**values)


def _arguments(kind: type[Distribution], given: str, text: str) -> dict[str, float]:
    """Return the parameters of ``kind`` that ``given``, the text in the brackets, names."""
    names = [each.name for each in kind.parameters]
    found: dict[str, float] = {}
    for word in given.split(",") if given.strip() else []:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not equals:
            raise UsageError(f"{text}: {word.strip()!r} has no name; write {kind.example}")
        if name not in names:
            advice = did_you_mean(name, names, f"write {kind.example}")
            raise UsageError(f"{text}: {kind.word} has no {name!r}; {advice}")
        if name in found:
            raise UsageError(f"{text}: {name}= is given twice")
        found[name] = _number(value, text)
    for name in names:
        if name not in found:
            raise UsageError(f"{text}: {kind.word} needs {name}=; write {kind.example}")
    return found


def _number(part: str, text: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise UsageError(f"{text}: {part.strip()!r} is not a number") from None


def _is_number(*texts: str) -> bool:
    try:
        return all(math.isfinite(float(text)) for text in texts)
    except ValueError:
        return False


def _text(number: float) -> str:
    """Return ``number`` as text from which ``float`` makes the same number."""
    return str(int(number)) if number == int(number) else repr(number)
