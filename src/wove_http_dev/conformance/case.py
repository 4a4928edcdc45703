"""The parts of a conformance check: cases in families, their results, and the report.

This module imports nothing else of the package, so that the cases for a worker service cannot share
its bugs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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

ACTUAL_LIMIT = 1500
"""Longest text in a result, in characters: a service may answer with megabytes."""


class CaseFailed(Exception):
    """A case failed. ``actual`` says what was seen; ``expected`` replaces the case's own text."""

    def __init__(self, actual: str, *, expected: str | None = None) -> None:
        super().__init__(actual)
        self.actual = actual
        self.expected = expected


class NotApplicable(Exception):
    """The case does not apply; the message is the reason that a report shows."""


CaseBody = Callable[[Any], str | None]
Parameter = TypeVar("Parameter")
ParametrizedBody = Callable[[Any, Parameter], str | None]


@dataclass(frozen=True)
class Case:
    """One requirement and the code that checks it.

    ``scenario`` describes what the case sends. ``body`` is called with the check's context; it
    returns a text about what it saw (or ``None``), or raises :class:`CaseFailed` or
    :class:`NotApplicable`. A case with ``prerequisite`` runs before the others, and if it fails
    they do not run.
    """

    family: str
    number: str
    """Two digits, or empty for a case that is identified by its name alone."""
    name: str
    level: Level
    source: str
    requirement: str
    scenario: str
    expected: str
    body: CaseBody = field(repr=False)
    prerequisite: bool = False

    @property
    def id(self) -> str:
        """Family and number, e.g. ``auth.03``; for a case without a number, family and name, e.g.
        ``outcome.slow-response``."""
        return f"{self.family}.{self.number or self.name}"

    @property
    def title(self) -> str:
        """Id and name, e.g. ``auth.03-tampered-body``."""
        return f"{self.id}-{self.name}" if self.number else self.id

    def matches(self, pattern: str) -> bool:
        """Whether ``pattern`` (a glob, case-sensitive) is this case's id, name, title or family."""
        names = (self.id, self.name, self.title, self.family)
        return any(fnmatchcase(name, pattern) for name in names)


class Family:
    """The cases whose ids begin with one name. The object is created in the ``__init__`` of the
    folder that holds the cases."""

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
    ) -> Callable[[CaseBody], CaseBody]:
        """Make the decorated function a case of level MUST. Its docstring becomes the requirement;
        its name, with hyphens, becomes the case's name, unless ``name`` is given.

        With an empty ``number`` the case is identified by its name alone. Raises ``ValueError`` if
        the family already has a case with this number or name.
        """

        def register(body: CaseBody) -> CaseBody:
            self._add(number, MUST, source, scenario, expected, body, name, prerequisite)
            return body

        return register

    def should(
        self, number: str, source: str, *, scenario: str, expected: str, name: str = ""
    ) -> Callable[[CaseBody], CaseBody]:
        """Like :meth:`must`, for level SHOULD: a failure makes the check fail only with
        ``--strict``."""

        def register(body: CaseBody) -> CaseBody:
            self._add(number, SHOULD, source, scenario, expected, body, name)
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
    ) -> Callable[[ParametrizedBody[Parameter]], ParametrizedBody[Parameter]]:
        """Make one case for each of ``values`` (number: value). The decorated function gets the
        value as its second argument. If ``values`` is a sequence, the cases have no number, only a
        name.

        ``name``, ``scenario``, ``expected`` and the docstring are format strings for the value:
        ``"redirect-{}"``, or ``"tls-{0.name}"`` for an attribute.
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
    ) -> None:
        name = name or body.__name__.strip("_").replace("_", "-")
        requirement = " ".join((body.__doc__ or "").split())
        case = Case(
            *(self.name, number, name, level, source, requirement, scenario, expected),
            body=body,
            prerequisite=prerequisite,
        )
        for other in self.cases:
            if other.id == case.id or other.name == name:
                raise ValueError(f"cannot add {case.title}: {other.title} exists already")
        self.cases.append(case)


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
    """What was seen, or the reason for a skip; control characters removed."""
    expected: str = ""
    seconds: float = 0.0
    known_failing: bool = False
    sent: str = ""
    """The requests that were really sent, if the check records them."""

    def is_shortfall(self, *, strict: bool) -> bool:
        """Whether this result makes the check fail.

        A SHOULD that failed counts only if ``strict``. A case that is known to fail counts when it
        passes, because the list is then out of date.
        """
        if self.status == NOT_RUN:
            return True
        if self.status == FAILED:
            return not self.known_failing and (strict or self.case.level == MUST)
        return self.status == PASSED and self.known_failing


@dataclass(frozen=True)
class Report:
    """All results of a check, in order; ``subject`` names the service or executor that was
    checked."""

    subject: str
    results: Sequence[Result]
    strict: bool = False
    seconds: float = 0.0

    @property
    def shortfalls(self) -> list[Result]:
        """The results that make the check fail."""
        return [result for result in self.results if result.is_shortfall(strict=self.strict)]

    @property
    def exit_status(self) -> int:
        """0, or 1 if a result makes the check fail."""
        return 1 if self.shortfalls else 0

    def count(self, status: Status) -> int:
        """How many results have ``status``."""
        return sum(result.status == status for result in self.results)


def printable(text: str, limit: int = ACTUAL_LIMIT) -> str:
    """``text`` without control characters (for terminals and XML), at most ``limit`` characters."""
    clean = "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text[: limit + 1]
    )
    return clean if len(text) <= limit else clean[:limit] + "…"
