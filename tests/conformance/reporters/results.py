"""Makes cases and results for the tests of the reporters."""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.case import FAILED, MUST, Case, Family, Level, Result, Status


def case(number: str = "01", level: Level = MUST) -> Case:
    """Return a case of the family ``made-up``."""
    family = Family("made-up")
    add = family.must if level == MUST else family.should

    @add(number, "RFC 0", scenario="a good request", expected="a good answer")
    def good_answer(check: object) -> str:
        """It answers."""
        return "an answer"

    return family.cases[0]


def result(
    status: Status = FAILED,
    *,
    number: str = "01",
    level: Level = MUST,
    known_failing: bool = False,
    actual: str = "a bad answer",
    sent: str = "POST run_task (echo, run 3f2a91…), signed",
    **more: Any,
) -> Result:
    """Return a result of :func:`case`."""
    return Result(
        *(case(number, level), status, actual, "a good answer", 0.5, known_failing, sent), **more
    )
