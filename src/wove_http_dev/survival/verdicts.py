"""The verdict on one run of a test with a fault, from what the client and the workers saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

from wove_http_dev.client.observed_weaves import ObservedWeave
from wove_http_dev.exception_text import message_of
from wove_http_dev.faults.fault import Fault
from wove_http_dev.printable import shortened
from wove_http_dev.survival.observation import Executed, Observation
from wove_http_dev.survival.stale import (
    Finding,
    hidden_exceptions,
    stale_answers,
    trusted_cancellations,
)
from wove_http_dev.weave_outcome import wove_errors

DETAIL_LIMIT = 400
"""Characters of the reason of a verdict."""

Verdict = Literal[
    "survived", "handled", "wrong", "escaped", "hung", "ran-twice", "skipped", "expected"
]
FAILING: tuple[Verdict, ...] = ("wrong", "escaped", "hung", "ran-twice")
"""The verdicts that fail a survival test, worst first."""
SHOWN: Mapping[Verdict, str] = MappingProxyType(
    {
        "survived": "survived",
        "handled": "handled",
        "wrong": "WRONG",
        "escaped": "ESCAPED",
        "hung": "HUNG",
        "ran-twice": "RAN TWICE",
        "skipped": "skipped",
        "expected": "expected",
    }
)
"""Each verdict as a person reads it."""


@dataclass(frozen=True)
class Cell:
    """The verdict on one test with one fault, in text and numbers that JSON can hold."""

    verdict: Verdict
    detail: str
    """Why, on one line, with the name of the task and numbers."""
    seconds: float
    """Seconds that the run with the fault took."""
    customer: str = ""
    """What a customer of the application would have seen, in one sentence; for failing verdicts."""
    journal: str = ""
    """The workers' reports, fit to be shown, at most 20,000 characters."""


def judge(
    fault: Fault,
    observation: Observation,
    clean: Observation,
    test_error: BaseException | None,
    wove_version: str,
) -> Cell:
    """Return the verdict on a run of a test with ``fault``, which ended with ``test_error``, or
    without an error. ``clean`` is what was observed of its run without a fault.

    Where several failing verdicts hold, it is the worst one, in the order of :data:`FAILING`; but
    of a run that the watchdog had to end, what followed says nothing.
    """
    if not _hit(fault, observation):
        return _cell("skipped", "hit nothing: no request that it acts on arrived", observation)
    if observation.stuck:
        hung = _hung(observation)
        return _cell("hung", hung.detail, observation, hung.customer)
    of_application, of_wove = _findings(fault, observation, clean, test_error)
    reason = fault.why_uncontained(wove_version)
    for verdict in FAILING:
        findings = of_application.get(verdict, [])
        if reason is None:
            findings = [*of_wove.get(verdict, []), *findings]
        if findings:
            return _cell(verdict, findings[0].detail, observation, findings[0].customer)
    if reason is not None and (any(of_wove.values()) or _left_a_weave(test_error, observation)):
        seen = next((each[0].detail for each in of_wove.values() if each), _named(test_error))
        return _cell("expected", f"Wove {wove_version}: {reason} ({seen})", observation)
    if test_error is None:
        return _cell("survived", _survived(observation), observation)
    return _cell("handled", _named(test_error), observation)


_Findings: TypeAlias = dict[Verdict, list[Finding]]


def _findings(
    fault: Fault, observation: Observation, clean: Observation, test_error: BaseException | None
) -> tuple[_Findings, _Findings]:
    """Return what the application did wrong, and what Wove did, each by verdict. The arguments are
    those of :func:`judge`."""
    ran_twice = list(_ran_twice(fault, observation, clean))
    of_application: _Findings = {
        "wrong": [*trusted_cancellations(observation, clean), *stale_answers(observation)],
        "escaped": list(hidden_exceptions(observation)),
        "ran-twice": [finding for repeated, finding in ran_twice if repeated],
    }
    of_wove: _Findings = {
        "wrong": _foreign(observation, clean),
        "escaped": _escaped(observation, test_error),
        "ran-twice": [finding for repeated, finding in ran_twice if not repeated],
    }
    return of_application, of_wove


def _cell(verdict: Verdict, detail: str, observation: Observation, customer: str = "") -> Cell:
    return Cell(
        verdict,
        shortened(detail, DETAIL_LIMIT),
        observation.seconds,
        customer,
        observation.journal,
    )


def _hit(fault: Fault, observation: Observation) -> bool:
    if fault.listener:  # it keeps connections away, and counts none
        return any(weave.attempts for weave in observation.weaves)
    return any(hits for each, hits in observation.hits if each is fault or each == fault)


def _hung(observation: Observation) -> Finding:
    if observation.released:
        tasks = _tasks(observation.released[0])
        return Finding(
            f"the weave of {tasks} did not end by itself: only the end of the fault ended it; give"
            " its environment a timeout, and the task or Wove a delivery_timeout",
            f"waits for {tasks} without end: no answer, and no error",
        )
    return Finding(
        "the test did not end by itself, and no weave was under way then: the application waits"
        " for, or repeats, what does not come",
        "waits without end: no answer, and no error",
    )


def _foreign(observation: Observation, clean: Observation) -> list[Finding]:
    """Say which results are not the task's own, except where a fault of the test's makes them."""
    away = " (a redirect led to another server)" if observation.redirected else ""
    return [
        Finding(
            f"Wove took a result for {each.task!r} that is not its own: {each.reason}{away}",
            f"the result of {each.task!r} is another one, and looks right",
        )
        for each in observation.foreign
        if each not in clean.foreign
    ]


def _escaped(observation: Observation, error: BaseException | None) -> list[Finding]:
    """Say which exception went through the application and ended the test."""
    if error is None or isinstance(error, Exception):
        return []
    name = type(error).__name__
    for weave in observation.weaves:
        for each in _errors(weave):
            if not isinstance(each, Exception) and type(each) is type(error):
                return [
                    Finding(
                        f"a {name} left the weave of {_tasks(weave)} and the application: it is no"
                        " Exception, so `except Exception` does not catch it",
                        f"neither an answer nor an error: a {name} ends the request or the program",
                    )
                ]
    return []


def _ran_twice(
    fault: Fault, observation: Observation, clean: Observation
) -> Iterator[tuple[bool, Finding]]:
    """Yield a finding for each task that was executed more often than without a fault, where each
    of Wove's retries allows as many executions again; before it, whether the application sent the
    task so often (true), or the fault alone executed it again."""
    stalled = fault.name if fault.stalls and fault.stage == "run" else None
    normal = _executions(clean.runs)
    most: dict[str, int] = {}
    for (task, _), count in normal.items():
        most[task] = max(count, most.get(task, 1))
    retries: dict[str, int] = {}
    for weave in (*clean.weaves, *observation.weaves):
        for task, number in weave.retries.items():
            retries[task] = max(number, retries.get(task, 0))
    # Whether the body of a run that waited before it ever runs depends on when the wait ends.
    runs = [run for run in observation.runs if stalled not in run.faults]
    commands = _executions([replace(run, executions=min(run.executions, 1)) for run in runs])
    for (task, args), count in _executions(runs).items():
        once = normal.get((task, args)) or most.get(task, 1)
        once = max(once, _sent(task, args, clean))
        allowed = once * (1 + retries.get(task, 0))
        if count > allowed:
            yield (
                commands[task, args] > allowed,
                Finding(
                    f"{task!r} ran {count} times with the same arguments; without a fault, and with"
                    f" retries={retries.get(task, 0)}, that is {allowed} at most. If it may run"
                    " again, say so with retries= or a delivery_idempotency_key",
                    f"{task!r} was done {count} times, at most {allowed} asked for",
                ),
            )


def _sent(task: str, args: bytes | str | None, clean: Observation) -> int:
    """Return how many weaves sent ``task`` with ``args`` without a fault, whatever became of it: a
    fault of the test's own may have kept it from running."""
    arguments = {run.run_id: run.args for run in clean.runs}
    return sum(
        any(
            attempt.task == task and arguments.get(attempt.run_id, args) == args
            for attempt in weave.attempts
        )
        for weave in clean.weaves
    )


def _executions(runs: list[Executed]) -> Counter[tuple[str, bytes | str | None]]:
    """Count the executions of each task and arguments. Runs with the same idempotency key are one:
    the application says that a worker may see them twice."""
    counts: Counter[tuple[str, bytes | str | None]] = Counter()
    keys: dict[tuple[str, str], int] = {}
    for run in runs:
        count = run.executions
        if run.idempotency_key is not None:
            before = keys.get((run.task, run.idempotency_key), 0)
            keys[run.task, run.idempotency_key] = max(before, count)
            count = max(0, count - before)
        counts[run.task, run.args] += count
    return counts


def _left_a_weave(error: BaseException | None, observation: Observation) -> bool:
    """Whether ``error`` is the exception of a weave or of one of its tasks, and not of a class of
    Wove's."""
    if error is None or isinstance(error, wove_errors()):
        return False
    return any(error is each for weave in observation.weaves for each in _errors(weave))


def _tasks(weave: ObservedWeave) -> str:
    return ", ".join(map(repr, weave.names or weave.outcomes)) or "no task"


def _errors(weave: ObservedWeave) -> list[BaseException]:
    errors = [weave.error, *(outcome.error for outcome in weave.outcomes.values())]
    return [each for each in errors if each is not None]


def _survived(observation: Observation) -> str:
    failed = sorted(
        {
            name
            for weave in observation.weaves
            for name, outcome in weave.outcomes.items()
            if outcome.kind != "result"
        }
    )
    names = ", ".join(map(repr, failed))
    return f"the test passed without a result of {names}" if failed else "the test passed"


def _named(error: BaseException | None) -> str:
    if error is None:
        return "the test passed"
    line = message_of(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__
