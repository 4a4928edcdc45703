"""What a conformance check is made of: cases, their results, and how those count.

Both checks (worker, executor) and everything that prints use this room. It does not know what is
checked, how a case does it, or what a report looks like; it imports nothing of the package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

Level = Literal["MUST", "SHOULD"]
MUST: Level = "MUST"
SHOULD: Level = "SHOULD"

Status = Literal["passed", "failed", "skipped", "not run"]
PASSED: Status = "passed"
FAILED: Status = "failed"
SKIPPED: Status = "skipped"
NOT_RUN: Status = "not run"

ACTUAL_LIMIT = 1500
"""Characters of what was seen that a result keeps: what a service answers is not ours to print."""


class CaseFailed(Exception):
    """What is checked fell short; ``actual`` says how, ``expected`` overrides the case's own."""

    def __init__(self, actual: str, *, expected: str | None = None) -> None:
        super().__init__(actual)
        self.actual = actual
        self.expected = expected


class NotApplicable(Exception):
    """The case says nothing about this service; the message is the reason to show."""


@dataclass(frozen=True)
class Case:
    """One numbered requirement and the code that checks it.

    ``body`` gets the check's context; it returns what it saw (or ``None``), raises
    :class:`CaseFailed` or :class:`NotApplicable`. A ``prerequisite`` case runs first, and if it
    fails nothing else runs.
    """

    id: str
    name: str
    level: Level
    source: str
    requirement: str
    sent: str
    expected: str
    body: Callable[[Any], str | None] = field(repr=False)
    prerequisite: bool = False

    @property
    def title(self) -> str:
        """Number and name, e.g. ``auth.03-tampered-body``."""
        return f"{self.id}-{self.name}"

    @property
    def family(self) -> str:
        """What stands before the number."""
        return self.id.partition(".")[0]

    def matches(self, pattern: str) -> bool:
        """Whether ``pattern`` (a glob, case-sensitive) is this case's id, name, title or family."""
        names = (self.id, self.name, self.title, self.family)
        return any(fnmatchcase(name, pattern) for name in names)


CaseBody = Callable[[Any], str | None]


class Family:
    """The cases of one family, in the order they are written."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cases: list[Case] = []

    def case(
        self,
        number: str,
        name: str,
        level: Level,
        source: str,
        *,
        sent: str,
        expected: str,
        prerequisite: bool = False,
    ) -> Callable[[CaseBody], CaseBody]:
        """Number the decorated function; its docstring is the requirement."""

        def register(body: CaseBody) -> CaseBody:
            requirement = " ".join((body.__doc__ or "").split())
            identity = f"{self.name}.{number}"
            self.cases.append(
                Case(identity, name, level, source, requirement, sent, expected, body, prerequisite)
            )
            return body

        return register


@dataclass(frozen=True)
class Result:
    """What one case found."""

    case: Case
    status: Status
    actual: str = ""
    """What was seen, or the reason for a skip; control characters removed."""
    expected: str = ""
    seconds: float = 0.0
    known_failing: bool = False

    def is_shortfall(self, *, strict: bool) -> bool:
        """Whether this result makes the check fail.

        A SHOULD counts only if ``strict``. A case that is known to fail counts when it passes: the
        list is out of date then.
        """
        if self.status == NOT_RUN:
            return True
        if self.status == FAILED:
            return not self.known_failing and (strict or self.case.level == MUST)
        return self.status == PASSED and self.known_failing


@dataclass(frozen=True)
class Report:
    """A whole check: what was checked and every result, in order."""

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
        """0 if nothing fell short, else 1."""
        return 1 if self.shortfalls else 0

    def count(self, status: Status) -> int:
        """How many results have ``status``."""
        return sum(result.status == status for result in self.results)


def printable(text: str, limit: int = ACTUAL_LIMIT) -> str:
    """``text`` without what would steer a terminal or break XML, at most ``limit`` characters."""
    clean = "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text[: limit + 1]
    )
    return clean if len(text) <= limit else clean[:limit] + "…"
