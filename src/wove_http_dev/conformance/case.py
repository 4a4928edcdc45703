"""The parts of a conformance check: cases in families, their results, and the report.

This module imports nothing else from the package, so that a bug of the package cannot hide in the
cases that test a worker service.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeVar

Level = Literal["MUST", "SHOULD"]
MUST: Level = "MUST"
SHOULD: Level = "SHOULD"

Status = Literal["passed", "failed", "skipped", "not run"]
PASSED: Status = "passed"
FAILED: Status = "failed"
SKIPPED: Status = "skipped"
NOT_RUN: Status = "not run"

_WILD = frozenset("*?[")
"""The characters that make a pattern more than a name."""
ACTUAL_LIMIT = 1500
"""The most characters of text that a result keeps: a service may answer with megabytes."""


class CaseFailed(Exception):
    """Raised by a case that failed. ``actual`` says what was seen; ``expected``, if given, replaces
    the case's own text about what was expected. ``late`` is true if the case failed because a time
    limit passed: a busy machine can be the reason, so such a case is run again alone."""

    def __init__(self, actual: str, *, expected: str | None = None, late: bool = False) -> None:
        super().__init__(actual)
        self.actual = actual
        self.expected = expected
        self.late = late


class NotApplicable(Exception):
    """Raised by a case that does not apply to the service or executor; the message is the reason
    that the report shows. ``needs`` holds globs of cases without which this one cannot be run: the
    report names those of them that failed."""

    def __init__(self, reason: str, *, needs: Sequence[str] = ()) -> None:
        super().__init__(reason)
        self.needs = tuple(needs)


@dataclass(frozen=True)
class Remedy:
    """How to mend what fails a case, and ``example``: which lines of a reference do it right, as
    ``file: function()``, which names them also when lines move."""

    how: str
    example: str


CaseBody = Callable[[Any], str | None]
Parameter = TypeVar("Parameter")
ParametrizedBody = Callable[[Any, Parameter], str | None]


@dataclass(frozen=True)
class Case:
    """One requirement and the code that checks it.

    ``scenario`` describes what the case sends. ``body`` is the code: a function that gets the
    context of the check (which sends requests or starts weaves). It returns a text about what it
    saw (or ``None``), or raises :class:`CaseFailed` or :class:`NotApplicable`. A case whose
    ``prerequisite`` is true runs before the others, and if it fails, the others do not run. A case
    whose ``alone`` is true runs while no other one does: it measures time, cost or the machine,
    needs the service undisturbed, or disturbs others.
    """

    family: str
    number: str
    """Two digits, or an empty string if the case is identified by its name alone."""
    name: str
    level: Level
    source: str
    requirement: str
    scenario: str
    expected: str
    body: CaseBody = field(repr=False)
    prerequisite: bool = False
    alone: bool = False
    remedy: Remedy | None = None

    @functools.cached_property
    def id(self) -> str:
        """The family and the number, e.g. ``auth.03``; the family and the name if there is no
        number, e.g. ``outcome.slow-response``."""
        return f"{self.family}.{self.number or self.name}"

    @functools.cached_property
    def title(self) -> str:
        """The id and the name, e.g. ``auth.03-tampered-body``."""
        return f"{self.id}-{self.name}" if self.number else self.id

    def matches(self, pattern: str) -> bool:
        """Whether ``pattern`` (a glob, case-sensitive) is this case's id, name, title or family."""
        names = (self.id, self.name, self.title, self.family)
        if _WILD.isdisjoint(pattern):  # most are: a list of known failures has one for each case
            return pattern in names
        return any(fnmatchcase(name, pattern) for name in names)


class Family:
    """A group of cases whose ids begin with the same name, e.g. ``auth``. Each is created in the
    ``__init__`` of the folder that holds its cases."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: list[Case] = []

    def must(
        self,
        number: str,
        source: str,
        *,
        scenario: str,
        expected: str,
        name: str = "",
        prerequisite: bool = False,
        alone: bool = False,
    ) -> Callable[[CaseBody], CaseBody]:
        """Return a decorator that makes a function a case of level MUST. The function's docstring
        becomes the requirement; ``name``, or else the function's name with hyphens, becomes the
        case's name. ``prerequisite`` and ``alone`` are those of :class:`Case`.

        If ``number`` is empty, the case is identified by its name alone. Raises ``ValueError`` if
        the family already has a case with this number or name.
        """

        def register(body: CaseBody) -> CaseBody:
            self._add(number, MUST, source, scenario, expected, body, name, prerequisite, alone)
            return body

        return register

    def should(
        self,
        number: str,
        source: str,
        *,
        scenario: str,
        expected: str,
        name: str = "",
        alone: bool = False,
    ) -> Callable[[CaseBody], CaseBody]:
        """Like :meth:`must`, for level SHOULD: if such a case fails, the whole check fails only
        with ``--strict``."""

        def register(body: CaseBody) -> CaseBody:
            self._add(number, SHOULD, source, scenario, expected, body, name, alone=alone)
            return body

        return register

    def each(
        self,
        values: Mapping[str, Parameter] | Sequence[Parameter],
        source: str,
        *,
        name: str,
        scenario: str,
        expected: str,
        level: Level = MUST,
        alone: bool = False,
    ) -> Callable[[ParametrizedBody[Parameter]], ParametrizedBody[Parameter]]:
        """Return a decorator that makes one case for each of ``values`` from the same function,
        which gets the value as its second argument. The keys of ``values`` are the numbers of the
        cases; if it is a sequence, the cases have only names.

        The value is filled into ``name``, ``scenario``, ``expected`` and the docstring, which are
        format strings: ``"redirect-{}"``, or ``"tls-{0.name}"`` for an attribute of the value.
        """
        numbered: list[tuple[str, Parameter]]
        if isinstance(values, Mapping):
            numbered = list(values.items())
        else:
            numbered = [("", value) for value in values]

        def register(body: ParametrizedBody[Parameter]) -> ParametrizedBody[Parameter]:
            for number, value in numbered:
                self._add(
                    number,
                    level,
                    source,
                    scenario.format(value),
                    expected.format(value),
                    _with_value(body, value),
                    name.format(value),
                    alone=alone,
                )
            return body

        return register

    def _add(
        self,
        number: str,
        level: Level,
        source: str,
        scenario: str,
        expected: str,
        body: CaseBody,
        name: str = "",
        prerequisite: bool = False,
        alone: bool = False,
    ) -> None:
        name = name or body.__name__.strip("_").replace("_", "-")
        requirement = " ".join((body.__doc__ or "").split())
        case = Case(
            *(self.name, number, name, level, source, requirement, scenario, expected),
            body=body,
            prerequisite=prerequisite,
            alone=alone,
        )
        for other in self.cases:
            if other.id == case.id or other.name == name:
                raise ValueError(f"cannot add {case.title}: {other.title} exists already")
        self.cases.append(case)


def with_remedies(
    cases: Iterable[Case], remedies: Sequence[tuple[str, Remedy]]
) -> tuple[Case, ...]:
    """Return ``cases``, each with the remedy of its id, else of its family. With each remedy stand
    the ids and families that it is for, separated by blanks."""
    of = {word: remedy for words, remedy in reversed(remedies) for word in words.split()}
    return tuple(replace(case, remedy=of.get(case.id, of.get(case.family))) for case in cases)


def _with_value(body: ParametrizedBody[Parameter], value: Parameter) -> CaseBody:
    @functools.wraps(body)
    def bound(check: Any) -> str | None:
        return body(check, value)

    bound.__doc__ = (body.__doc__ or "").format(value)
    return bound


@dataclass(frozen=True)
class Result:
    """The outcome of one case."""

    case: Case
    status: Status
    actual: str = ""
    """What was seen, or why the case was skipped or not run; without control characters."""
    expected: str = ""
    seconds: float = 0.0
    known_failing: bool = False
    sent: str = ""
    """The requests that the case sent, as recorded; empty if the check does not record them."""
    printed: str = ""
    """What the service that the check started printed while the case ran, if the case failed."""
    needs: tuple[str, ...] = ()
    """Globs of the cases that a skipped case cannot be run without."""
    because: tuple[str, ...] = ()
    """The ids of those of them that failed."""
    late: bool = False
    """Whether the case failed, or was not run to its end, because a time limit passed."""
    again: str = ""
    """If the case was run a second time, alone: how, and what was seen at first."""
    known_flaky: bool = False
    """Whether the case is on the list of those that may fail or pass."""

    @property
    def reason(self) -> str:
        """Why the case was skipped or not run, e.g. ``run.02 failed: …``."""
        return f"{', '.join(self.because)} failed: {self.actual}" if self.because else self.actual

    @property
    def listed(self) -> bool:
        """Whether the case is on a list of cases that fail, always or sometimes."""
        return self.known_failing or self.known_flaky

    def is_shortfall(self, *, strict: bool) -> bool:
        """Whether this result makes the whole check fail.

        A failed SHOULD does so only if ``strict`` is true. A case on the list of known failures
        does so when it passes, because the list is then out of date; one that may fail or pass
        never does.
        """
        if self.status == NOT_RUN:
            return True
        if self.status == FAILED:
            return not self.listed and (strict or self.case.level == MUST)
        return self.status == PASSED and self.known_failing


@dataclass(frozen=True)
class Report:
    """The results of a check, in order. ``subject`` names the service or executor that was
    checked."""

    subject: str
    results: Sequence[Result]
    strict: bool = False
    seconds: float = 0.0
    left_out: int = 0
    """How many cases of the suite were not asked for."""

    @property
    def shortfalls(self) -> list[Result]:
        """The results that make the whole check fail."""
        return [result for result in self.results if result.is_shortfall(strict=self.strict)]

    @property
    def exit_status(self) -> int:
        """The exit status of the command: 1 if any result makes the check fail, otherwise 0."""
        return 1 if self.shortfalls else 0

    def count(self, status: Status) -> int:
        """Return how many results have ``status``."""
        return sum(result.status == status for result in self.results)


def printable(text: str, limit: int = ACTUAL_LIMIT) -> str:
    """Return the first ``limit`` characters of ``text``, without control characters, which could
    harm a terminal or are not allowed in XML."""
    clean = text[: limit + 1]
    if not clean.isprintable():
        clean = "".join(map(_printable, clean))
    return clean if len(text) <= limit else clean[:limit] + "…"


def _printable(character: str) -> str:
    is_shown = character.isprintable() or character == "\n"
    return character if is_shown else "\N{REPLACEMENT CHARACTER}"
