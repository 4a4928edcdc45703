"""Runs cases within time limits, several at a time, and stops when the service no longer answers.

First come the prerequisites, one by one; then the cases that do not disturb each other; then, one
by one, those that must be alone; and at last what is run a second time. If a case raises an
``Exception``, that becomes its result; ``KeyboardInterrupt`` ends the check.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from wove_http_dev.conformance.case import (
    FAILED,
    NOT_RUN,
    PASSED,
    SKIPPED,
    Case,
    Result,
    printable,
)
from wove_http_dev.conformance.jobs import Beside, run_together
from wove_http_dev.conformance.perform import Context, perform
from wove_http_dev.conformance.second_runs import decided, only_beside, together, wants_second

Observer = Callable[[Result], None]
Printed = Callable[[], Callable[[], str]]
"""Notes the present place in what the service prints; what it returns gives the text since then."""
SLOW = 0.1
"""Seconds: the report calls a service slow if a prerequisite case takes longer."""
SECOND_RUNS = 12.0
"""Seconds that second runs which do not pass may take, or half of ``losses`` if that is less. They
are counted apart, so that at least one failure is seen alone of a service that hangs."""


def select(cases: Iterable[Case], run: Sequence[str], exclude: Sequence[str]) -> list[Case]:
    """Return the cases that match a glob in ``run`` (any case, if ``run`` is empty) and no glob in
    ``exclude``."""
    return [
        case
        for case in cases
        if (not run or any(case.matches(glob) for glob in run))
        and not any(case.matches(glob) for glob in exclude)
    ]


class Checking:
    """Runs the cases of one check within time limits. ``context`` makes a new context for each
    case.

    ``jobs`` cases run at a time. No case starts after ``budget`` seconds, or once the cases that
    failed have taken ``losses`` seconds in total; so a service that hangs is given up sooner
    than a slow one. Second runs may take :data:`SECOND_RUNS` more. ``alive`` is called after a
    failed case and returns whether the service still answers. If it does not, ``restart`` is
    called: it starts the service again and returns ``None``, or returns why it could not. ``known``
    and ``flaky`` hold globs for the cases that are known to fail, always or sometimes; ``observer``
    is called with each result. If ``again`` is false, no case is run a second time.
    """

    def __init__(
        self,
        context: Context,
        *,
        budget: float,
        losses: float | None = None,
        jobs: int = 1,
        again: bool = True,
        alive: Callable[[], bool],
        restart: Callable[[], str | None] = lambda: "",
        printed: Printed = lambda: str,
        known: Sequence[str] = (),
        flaky: Sequence[str] = (),
        observer: Observer = lambda result: None,
    ) -> None:
        self._context = context
        self._jobs = jobs
        self._again = again
        self._alive = alive
        self._restart = restart
        self._printed = printed
        self._known = known
        self._flaky = flaky
        self._observer = observer
        self._budget = budget
        self._losses = budget if losses is None else losses
        self._lost = 0.0
        self._ends = time.monotonic() + budget
        self._stopped = ""
        self._done: list[Result] = []
        self._results: dict[str, Result] = {}
        self._second: list[Beside] = []
        self._dead: set[str] = set()
        """The ids of the failed cases after which the service did not answer, of those that run
        together."""

    def run(self, cases: Sequence[Case], prerequisites: Sequence[Case]) -> list[Result]:
        """Run ``prerequisites`` and then ``cases``, and return their results in order.

        A prerequisite that is not in ``cases`` is reported only if it fails.
        """
        self._run_prerequisites(prerequisites, {case.id for case in cases})
        done = set(self._results)
        if not self._stopped:
            done |= {case.id for case in prerequisites}
        rest = [case for case in cases if case.id not in done]
        if self._jobs > 1:
            self._run_together([case for case in rest if not case.alone])
        for case in rest:
            if case.alone or self._jobs == 1:
                self._take(Beside(self._one(case)))
        self._run_again()
        order = dict.fromkeys(case.id for case in (*prerequisites, *cases))
        # A case may be skipped because of one that fails only later.
        return [self._with_cause(self._results[id_]) for id_ in order if id_ in self._results]

    def _run_prerequisites(self, prerequisites: Sequence[Case], asked: set[str]) -> None:
        for case in prerequisites:
            result = self._one(case)
            if result.late and self._again:
                result = decided(Beside(result), self._one(case))
            if case.id in asked or result.status != PASSED:
                self._report(result)
            if result.status == FAILED:
                self._stopped = self._stopped or f"{case.title} failed: {result.actual}"
                break

    def _take(self, first: Beside) -> None:
        """Report the result of a first run, or keep it until the second one. A case that is on a
        list has failed as was to be expected."""
        listed = any(map(first.result.case.matches, (*self._known, *self._flaky)))
        if self._again and wants_second(first) and not listed:
            self._second.append(first)
        else:
            self._report(first.result)

    # One case, alone

    def _one(self, case: Case, *, watch: bool = False) -> Result:
        """Run ``case`` and return its result. If it fails, or if ``watch`` is true, see whether the
        service still answers."""
        why_not = self._why_not()
        if why_not:
            return Result(case, NOT_RUN, why_not, case.expected)
        return self._alone(case, watch=watch)

    def _alone(self, case: Case, *, watch: bool = False) -> Result:
        """As ``_one``, however much time was used up."""
        printed = self._printed()
        result = perform(case, self._context)
        if result.status == FAILED or watch:
            if not case.prerequisite and not self._alive():
                result = self._after_death(result)
            if result.status == FAILED:
                result = replace(result, printed=printable(printed()))
        self._count(result, 1)
        return result

    def _after_death(self, result: Result) -> Result:
        """Start the service again, which has stopped to answer, or give up the other cases. Return
        ``result``, with that in its text and in its time."""
        began = time.monotonic()
        self._dead.add(result.case.id)
        why_not = self._restart()
        if why_not is None:
            then = "did not answer any more, and was started again"
        else:
            then = "did not answer any more"
            self._stopped = f"the service does not answer any more since {result.case.title}"
            self._stopped += f": {why_not}" if why_not else ""
        seconds = result.seconds + time.monotonic() - began
        actual = f"{result.actual or 'passed'}; afterwards the service {then}"
        return replace(result, status=FAILED, actual=actual, seconds=seconds, late=False)

    # Several cases at a time

    def _run_together(self, cases: Sequence[Case]) -> None:
        waiting = deque(cases)

        def take() -> Case | None:
            return None if self._dead or not waiting or self._why_not() else waiting.popleft()

        while waiting and not self._why_not():
            self._dead.clear()
            ended = []
            for one in run_together(take, self._one_of_several, self._jobs):
                self._count(one.result, self._jobs)
                ended.append(one)
                if one.result.status == PASSED:
                    self._report(one.result)
            # A service that was busy with the other cases may have been late.
            died = bool(self._dead) and not self._alive()
            suspects = self._suspects(ended) if died else []
            for one in ended:
                if one.result.status != PASSED and one not in suspects:
                    self._take(one)
            if died:
                self._after_common_death(suspects)
        for case in waiting:
            self._report(self._one(case))

    def _one_of_several(self, case: Case) -> Result:
        printed = self._printed()
        result = perform(case, self._context)
        if result.status == FAILED:
            if not self._alive():
                self._dead.add(case.id)
            result = replace(result, printed=printable(printed()))
        return result

    def _suspects(self, ended: Sequence[Beside]) -> list[Beside]:
        """Return those of ``ended`` during which the service may have stopped to answer: the ones
        that failed first."""
        met = {id_ for one in ended if one.result.case.id in self._dead for id_ in one.others}
        found = [one for one in ended if one.result.case.id in self._dead | met]
        return sorted(found, key=lambda one: one.result.status != FAILED)

    def _after_common_death(self, suspects: Sequence[Beside]) -> None:
        """Start the service again, which stopped to answer while ``suspects`` ran, and run each of
        them alone: so it is seen which of them was the reason."""
        began = time.monotonic()
        why_not = self._restart()
        self._lost += time.monotonic() - began
        failed = [one for one in suspects if one.result.status == FAILED]
        if why_not is not None:
            ran = [id_ for one in failed for id_ in (one.result.case.id, *one.others)]
            named = ", ".join(dict.fromkeys(ran))
            self._stopped = f"the service does not answer any more since these ran: {named}"
            self._stopped += f": {why_not}" if why_not else " (--jobs 1 shows which one ends it)"
            for one in failed:
                others = f", while {together(one.others)}" if one.others else ""
                then = f"; afterwards the service did not answer any more{others}"
                self._report(replace(one.result, actual=one.result.actual + then))
            for one in suspects:
                if one.result.status == SKIPPED:
                    self._report(one.result)
            return
        self._dead.clear()
        alone = []
        for one in suspects:  # those that passed are last, and run only if none of the others dies
            if one.result.status != PASSED or not self._dead:
                alone.append((one, self._one(one.result.case, watch=True)))
        for one, result in alone:
            if one.result.status == FAILED and result.status == PASSED and not self._dead:
                result = only_beside(one, ", after which the service did not answer any more")
            if one.result.status != PASSED or result.status == FAILED:
                self._report(result)

    # Second runs

    def _run_again(self) -> None:
        """Run alone what is to be run a second time, and report the results that count."""
        more = min(SECOND_RUNS, self._losses / 2)
        lost, ends = self._lost + more, max(self._ends, time.monotonic() + more)
        for first in self._second:
            case, why_not = first.result.case, self._stopped
            if self._lost >= lost:
                why_not = why_not or _losses_used_up(more)
            elif time.monotonic() > ends:
                why_not = why_not or self._budget_used_up()
            if first.result.status == SKIPPED and self._with_cause(first.result).because:
                self._report(first.result)
            elif why_not:
                self._report(decided(first, Result(case, NOT_RUN, why_not)))
            else:
                self._report(decided(first, self._alone(case)))

    # Results

    def _count(self, result: Result, jobs: int) -> None:
        """Note ``result``. If its case failed, its time counts as lost, divided by ``jobs``, the
        number of cases that ran meanwhile. A case that is skipped because the machine is too busy
        to measure takes long with a healthy service, too."""
        self._done.append(result)
        if result.status not in (PASSED, SKIPPED):
            self._lost += result.seconds / jobs

    def _with_cause(self, result: Result) -> Result:
        """Return ``result``, with the ids of the failed cases because of which it was skipped."""
        failed = [
            each.case.id
            for each in self._results.values()
            if each.status == FAILED and any(each.case.matches(glob) for glob in result.needs)
        ]
        return replace(result, because=tuple(failed))

    def _why_not(self) -> str:
        """Say why no more cases may start; return an empty string if they may."""
        if self._stopped:
            return self._stopped
        if self._lost > self._losses:
            lost = [it for it in self._done if it.status not in (PASSED, SKIPPED)]
            late = any(one.result.late and one.others for one in self._second)
            advice = " (mend what fails, or leave it out with --exclude)"
            if late:
                advice += "; --jobs 1 is for a service that handles one request at a time"
            return f"{_losses_used_up(self._losses)}; {_longest(lost)}{advice}"
        if time.monotonic() <= self._ends:
            return ""
        allowed = self._budget_used_up()
        plain = [result.seconds for result in self._done if result.case.prerequisite]
        pace = statistics.median(plain) if plain else 0.0
        if pace > SLOW:
            return (
                f"{allowed}: a simple run takes about {pace:.1f} s, which is slow (check in parts"
                " with --run FAMILY)"
            )
        return f"{allowed}; {_longest(self._done)}"

    def _budget_used_up(self) -> str:
        return f"the {self._budget:g} s for the whole check were used up before this case"

    def _report(self, result: Result) -> None:
        flaky = any(result.case.matches(glob) for glob in self._flaky)
        known = not flaky and any(result.case.matches(glob) for glob in self._known)
        result = replace(result, known_failing=known, known_flaky=flaky)
        self._results[result.case.id] = result
        self._observer(self._with_cause(result))


def _losses_used_up(seconds: float) -> str:
    return f"the {seconds:g} s for cases that fail were used up before this case"


def _longest(results: Sequence[Result]) -> str:
    longest = sorted(results, key=lambda result: result.seconds, reverse=True)[:3]
    shown = ", ".join(f"{result.case.id} {result.seconds:.1f} s" for result in longest)
    return f"the longest cases: {shown}"
