"""Runs cases one after the other: selection, prerequisites, time limits, a service that dies.

Any ``Exception`` that a case raises becomes its result; ``KeyboardInterrupt`` ends the check.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from wove_http_dev.conformance.case import (
    FAILED,
    NOT_RUN,
    PASSED,
    SKIPPED,
    Case,
    CaseFailed,
    NotApplicable,
    Result,
    printable,
)

Context = Callable[[], AbstractContextManager[Any]]
Observer = Callable[[Result], None]
SLOW = 0.1
"""Seconds of a prerequisite from which a service is called slow in the report."""


def select(cases: Iterable[Case], run: Sequence[str], exclude: Sequence[str]) -> list[Case]:
    """The cases that match a glob of ``run`` (all, if it is empty) and none of ``exclude``."""
    return [
        case
        for case in cases
        if (not run or any(case.matches(glob) for glob in run))
        and not any(case.matches(glob) for glob in exclude)
    ]


def perform(case: Case, context: Context) -> Result:
    """Run one case in a new context. The result's ``sent`` is the context's, if it has one."""
    began = time.monotonic()
    expected, sent = case.expected, ""
    try:
        with context() as check:
            try:
                actual = case.body(check) or ""
            finally:
                sent = str(getattr(check, "sent", ""))
        status = PASSED
    except CaseFailed as exc:
        status, actual, expected = FAILED, exc.actual, exc.expected or case.expected
    except NotApplicable as exc:
        status, actual = SKIPPED, str(exc)
    except Exception as exc:  # a service can provoke anything; the check goes on
        status, actual = FAILED, f"the case could not be finished: {type(exc).__name__}: {exc}"
    seconds = time.monotonic() - began
    return Result(case, status, printable(actual), expected, seconds, sent=printable(sent))


class Checking:
    """One check: runs cases in contexts that ``context`` makes, within time limits.

    No case begins after ``budget`` seconds, nor once cases that did not pass have taken ``losses``
    seconds together, so that a service that hangs is given up sooner than a slow one. ``alive`` is
    called after a failed case: whether what is checked still answers. ``known`` are globs of cases
    known to fail; ``observer`` gets each result.
    """

    def __init__(
        self,
        context: Context,
        *,
        budget: float,
        losses: float | None = None,
        alive: Callable[[], bool],
        known: Sequence[str] = (),
        observer: Observer = lambda result: None,
    ) -> None:
        self._context = context
        self._alive = alive
        self._known = known
        self._observer = observer
        self._budget = budget
        self._losses = budget if losses is None else losses
        self._ends = time.monotonic() + budget
        self._stopped = ""
        self._done: list[Result] = []

    def run(self, cases: Sequence[Case], prerequisites: Sequence[Case]) -> list[Result]:
        """Run ``prerequisites`` and then ``cases``; returns their results in order.

        A prerequisite that is not in ``cases`` is reported only if it fails.
        """
        results = []
        for case in prerequisites:
            result = self._one(case)
            if case in cases or result.status != PASSED:
                results.append(self._report(result))
            if result.status == FAILED:
                self._stopped = self._stopped or f"{case.title} failed: {result.actual}"
                break
        done = {result.case.id for result in results} | {
            case.id for case in prerequisites if not self._stopped
        }
        results += [self._report(self._one(case)) for case in cases if case.id not in done]
        return results

    def _one(self, case: Case) -> Result:
        self._stopped = self._stopped or self._used_up()
        if self._stopped:
            return Result(case, NOT_RUN, self._stopped, case.expected)
        result = perform(case, self._context)
        if result.status == FAILED and not case.prerequisite and not self._alive():
            self._stopped = f"nothing answers any more since {case.title}"
            actual = f"{result.actual}; and afterwards the service did not answer any more"
            result = replace(result, actual=actual)
        self._done.append(result)
        return result

    def _used_up(self) -> str:
        """Why no further case may begin, or an empty text; a prerequisite is one plain run."""
        lost = [result for result in self._done if result.status != PASSED]
        if sum(result.seconds for result in lost) > self._losses:
            return (
                f"the {self._losses:g} s that cases may take which do not pass were used up before"
                f" it began; {_longest(lost)}"
            )
        if time.monotonic() <= self._ends:
            return ""
        allowed = f"the {self._budget:g} s that this check allows were used up before it began"
        plain = [result.seconds for result in self._done if result.case.prerequisite]
        pace = statistics.median(plain) if plain else 0.0
        if pace > SLOW:
            return (
                f"{allowed}: what is checked is slow, a plain run takes about {pace:.1f} s"
                " (--run FAMILY checks it in parts)"
            )
        return f"{allowed}; {_longest(self._done)}"

    def _report(self, result: Result) -> Result:
        known = any(result.case.matches(glob) for glob in self._known)
        result = replace(result, known_failing=known)
        self._observer(result)
        return result


def _longest(results: Sequence[Result]) -> str:
    longest = sorted(results, key=lambda result: result.seconds, reverse=True)[:3]
    shown = ", ".join(f"{result.case.id} {result.seconds:.1f} s" for result in longest)
    return f"the longest of them: {shown}"
