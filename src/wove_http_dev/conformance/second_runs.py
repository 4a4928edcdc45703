"""Which cases are run a second time, alone, and which of the two results counts.

A time limit may have passed because the machine was busy, or because the service handles one
request at a time: so the second result counts, and if there is none, the case is not decided. What
failed otherwise, but only beside other cases, did fail: a service must not mix up what runs at the
same time. The result says so, because nothing of the second run shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wove_http_dev.conformance.case import FAILED, NOT_RUN, PASSED, SKIPPED, Case, Result
from wove_http_dev.conformance.jobs import Beside
from wove_http_dev.conformance.perform import Context, perform

NOT_SEEN_ALONE = (
    "a time limit passed while other cases ran, which may be the reason, and the case was not run"
    " again alone"
)
"""Why a case is not decided; the reason why it was not run again follows. Both are the same for all
cases, so that a report counts them in one line."""
NAMED = 6
"""How many of the cases that ran at the same time a text names."""


def wants_second(first: Beside) -> bool:
    """Return whether the case of ``first`` is to be run again alone: it failed because a time limit
    passed, or beside other cases, or could not be run beside them, or not to its end."""
    if first.result.status == NOT_RUN:
        return first.result.late
    if first.result.status == FAILED:
        return first.result.late or bool(first.others)
    return bool(first.result.status == SKIPPED and first.result.needs and first.others)


def perform_twice_if_late(case: Case, context: Context) -> Result:
    """Run ``case``, and once more if it failed because a time limit passed; return the result that
    counts."""
    first = Beside(perform(case, context))
    return decided(first, perform(case, context)) if first.result.late else first.result


def decided(first: Beside, second: Result) -> Result:
    """Return the result that counts. ``second`` is the result of the second run, alone."""
    if second.status == NOT_RUN and second.late and first.result.late:  # cut off, alone as well
        return second
    if second.status == NOT_RUN and first.result.status == NOT_RUN:
        return first.result
    if second.status == NOT_RUN:
        return _without_second(first, second.actual)
    if first.result.status == SKIPPED:
        return second
    then = f"at first{_while(first.others)}: {first.result.actual}"
    if second.status == FAILED:
        return replace(
            second, again=f"it failed alone as well; {then}" if first.result.late else ""
        )
    if first.result.late:
        verb = "passed" if second.status == PASSED else "was skipped"
        return replace(second, again=f"it {verb} alone; {then}")
    return only_beside(first)


def _without_second(first: Beside, why_not: str) -> Result:
    """Return the result of a case that was not run again, for the reason ``why_not``."""
    if not first.others:
        return replace(first.result, again=f"it was not run again alone: {why_not}")
    alone = f"--jobs 1 --run {first.result.case.id} runs it alone"
    if first.result.status == FAILED and first.result.late:
        return replace(
            first.result,
            status=NOT_RUN,
            actual=f"{NOT_SEEN_ALONE}: {why_not}",
            again=f"at first{_while(first.others)}: {first.result.actual}; {alone}",
            printed="",
        )
    return replace(first.result, again=f"it was not run again alone; {alone}")


def only_beside(first: Beside, more: str = "") -> Result:
    """Return the result of a case that failed beside others, and not alone. ``more`` says what
    happened besides."""
    actual = f"failed{_while(first.others)}{more}, passed alone: {first.result.actual}"
    return replace(first.result, actual=actual)


def together(ids: Sequence[str]) -> str:
    """Return the number and the ids of the cases ``ids``, e.g. ``2 other cases ran (run.01,
    run.02)``."""
    named = ", ".join(ids[:NAMED]) + (", …" if len(ids) > NAMED else "")
    return f"{len(ids)} other {'case' if len(ids) == 1 else 'cases'} ran ({named})"


def _while(ids: Sequence[str]) -> str:
    return f" while {together(ids)}" if ids else ""
