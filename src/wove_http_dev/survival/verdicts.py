"""The verdict on one run of a test with a fault, from what the client and the workers saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from wove_http_dev.faults.fault import Fault
from wove_http_dev.survival.observation import Observation

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
    without an error. ``clean`` is what was observed of its run without a fault."""
    verdict: Verdict = "survived" if test_error is None else "handled"
    return Cell(verdict, "", observation.seconds, journal=observation.journal)
