"""Runs cases one after the other, within time limits, and stops when the service no longer answers.

If a case raises an ``Exception``, that becomes its result; ``KeyboardInterrupt`` ends the check.
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
"""Seconds: the report calls a service slow if a prerequisite case takes longer."""


def select(cases: Iterable[Case], run: Sequence[str], exclude: Sequence[str]) -> list[Case]:
    """Return the cases that match a glob in ``run`` (any case, if ``run`` is empty) and no glob in
    ``exclude``."""
    return [
        case
        for case in cases
        if (not run or any(case.matches(glob) for glob in run))
        and not any(case.matches(glob) for glob in exclude)
    ]


def perform(case: Case, context: Context) -> Result:
    """Run ``case`` in a new context and return its result."""
    began = time.monotonic()
    expected, sent = case.expected, ""
    needs: tuple[str, ...] = ()
    late = False
    try:
        with context() as check:
            try:
                actual = case.body(check) or ""
            finally:
                sent = str(getattr(check, "sent", ""))
        status = PASSED
    except CaseFailed as exc:
        status, actual, expected = FAILED, exc.actual, exc.expected or case.expected
        late = _is_late(exc)
    except NotApplicable as exc:
        status, actual, needs = SKIPPED, str(exc), exc.needs
    except Exception as exc:  # a bad answer may cause any error; the check continues
        status, actual = FAILED, f"the case raised {type(exc).__name__}: {exc}"
        late = _is_late(exc)
    seconds = time.monotonic() - began
    return Result(
        *(case, status, printable(actual), expected, seconds),
        sent=printable(sent),
        needs=needs,
        late=late,
    )


def _is_late(exc: BaseException | None) -> bool:
    """Return whether ``exc``, or what it was raised from, says that a time limit passed."""
    while exc is not None:
        if getattr(exc, "late", False) is True or isinstance(exc, TimeoutError):
            return True
        exc = exc.__cause__
    return False


class Checking:
    """Runs the cases of one check within time limits. ``context`` makes a new context for each
    case.

    No case starts after ``budget`` seconds, or once the cases that did not pass have taken
    ``losses`` seconds in total; so a service that hangs is given up sooner than a slow one.
    ``alive`` is called after a failed case and returns whether the service still answers. If it
    does not, ``restart`` is called: it starts the service again and returns ``None``, or returns
    why it could not. ``printed`` returns what the service has printed since its last call.
    ``known`` holds globs for the cases that are known to fail; ``observer`` is called with each
    result.
    """

    def __init__(
        self,
        context: Context,
        *,
        budget: float,
        losses: float | None = None,
        alive: Callable[[], bool],
        restart: Callable[[], str | None] = lambda: "",
        printed: Callable[[], str] = lambda: "",
        known: Sequence[str] = (),
        observer: Observer = lambda result: None,
    ) -> None:
        self._context = context
        self._alive = alive
        self._restart = restart
        self._printed = printed
        self._known = known
        self._observer = observer
        self._budget = budget
        self._losses = budget if losses is None else losses
        self._ends = time.monotonic() + budget
        self._stopped = ""
        self._done: list[Result] = []

    def run(self, cases: Sequence[Case], prerequisites: Sequence[Case]) -> list[Result]:
        """Run ``prerequisites`` and then ``cases``, and return their results in order.

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
        # A case may be skipped because of one that fails only later.
        return [self._with_cause(result) for result in results]

    def _one(self, case: Case) -> Result:
        self._stopped = self._stopped or self._used_up()
        if self._stopped:
            return Result(case, NOT_RUN, self._stopped, case.expected)
        self._printed()  # what was printed before is not about this case
        result = perform(case, self._context)
        if result.status == FAILED:
            if not case.prerequisite and not self._alive():
                result = self._after_death(result)
            result = replace(result, printed=printable(self._printed()))
        self._done.append(result)
        return result

    def _after_death(self, result: Result) -> Result:
        """Start the service again, which has stopped to answer, or give up the other cases. Return
        ``result``, with that in its text and in its time."""
        began = time.monotonic()
        why_not = self._restart()
        if why_not is None:
            then = "did not answer any more, and was started again"
        else:
            then = "did not answer any more"
            self._stopped = f"the service does not answer any more since {result.case.title}"
            self._stopped += f": {why_not}" if why_not else ""
        seconds = result.seconds + time.monotonic() - began
        actual = f"{result.actual}; afterwards the service {then}"
        return replace(result, actual=actual, seconds=seconds)

    def _with_cause(self, result: Result) -> Result:
        """Return ``result``, with the ids of the failed cases because of which it was skipped."""
        failed = [
            each.case.id
            for each in self._done
            if each.status == FAILED and any(each.case.matches(glob) for glob in result.needs)
        ]
        return replace(result, because=tuple(failed))

    def _used_up(self) -> str:
        """Say why no more cases may start; return an empty string if they may."""
        lost = [result for result in self._done if result.status != PASSED]
        if sum(result.seconds for result in lost) > self._losses:
            return (
                f"the {self._losses:g} s for cases that do not pass were used up before this case;"
                f" {_longest(lost)}"
            )
        if time.monotonic() <= self._ends:
            return ""
        allowed = f"the {self._budget:g} s for the whole check were used up before this case"
        plain = [result.seconds for result in self._done if result.case.prerequisite]
        pace = statistics.median(plain) if plain else 0.0
        if pace > SLOW:
            return (
                f"{allowed}: a simple run takes about {pace:.1f} s, which is slow (check in parts"
                " with --run FAMILY)"
            )
        return f"{allowed}; {_longest(self._done)}"

    def _report(self, result: Result) -> Result:
        known = any(result.case.matches(glob) for glob in self._known)
        result = replace(result, known_failing=known)
        self._observer(self._with_cause(result))
        return result


def _longest(results: Sequence[Result]) -> str:
    longest = sorted(results, key=lambda result: result.seconds, reverse=True)[:3]
    shown = ", ".join(f"{result.case.id} {result.seconds:.1f} s" for result in longest)
    return f"the longest cases: {shown}"
