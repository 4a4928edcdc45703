"""Running several cases at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from wove_http_dev.conformance.case import PASSED, Case, Family, Result
from wove_http_dev.conformance.jobs import run_together


def cases(count: int) -> list[Case]:
    """Return ``count`` cases whose bodies do nothing."""
    family = Family("made-up")
    for number in range(count):
        add = family.must(f"{number:02}", "a test", scenario="", expected="", name=f"case-{number}")
        add(lambda check: "nothing")
    return family.cases


def passed(case: Case) -> Result:
    """Return the result of a case that passed."""
    return Result(case, PASSED)


def taker(chosen: list[Case]) -> Callable[[], Case | None]:
    """Return a function that returns one of ``chosen`` after the other, and then ``None``."""
    left = iter(chosen)
    return lambda: next(left, None)


def test_each_case_is_run_once() -> None:
    """Every case that can be taken is run, by one thread."""
    chosen = cases(20)
    done = [one.result.case.id for one in run_together(taker(chosen), passed, 4)]
    assert sorted(done) == [case.id for case in chosen]


def test_each_result_names_the_cases_that_ran_meanwhile() -> None:
    """Cases that overlap name each other."""
    both = threading.Barrier(2)

    def run(case: Case) -> Result:
        both.wait(60)
        return passed(case)

    found = {one.result.case.id: one.others for one in run_together(taker(cases(2)), run, 2)}
    assert found == {"made-up.00": ("made-up.01",), "made-up.01": ("made-up.00",)}


def test_cases_of_one_job_are_beside_no_other() -> None:
    """With one job no case runs at the same time as another."""
    assert [one.others for one in run_together(taker(cases(3)), passed, 1)] == [(), (), ()]


def test_no_case_starts_once_none_can_be_taken() -> None:
    """When ``take`` returns ``None``, the results of those that run are still given."""
    chosen = cases(5)
    assert len(list(run_together(taker(chosen[:2]), passed, 4))) == 2
