"""The list of all executor cases, and Wove's own executor, which fails where the shipped list of
known failures says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.executor.checks import check
from tests.conformance.numbering import gaps, repeated
from wove_http_dev.conformance.case import Case
from wove_http_dev.conformance.executor import cases
from wove_http_dev.conformance.executor.executor_under_test import builtin_executor
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES, PREREQUISITES
from wove_http_dev.conformance.known_failures import shipped_list
from wove_http_dev.faults import FAULTS


def test_the_shipped_list_is_exact() -> None:
    """With it, no result of Wove's http executor fails, and none passes unexpectedly."""
    results = check(builtin_executor("http"), known=shipped_list(EXECUTOR_CASES))
    short = {r.case.title: (r.status, r.actual) for r in results if r.is_shortfall(strict=True)}
    assert short == {}


def test_every_fault_has_its_case() -> None:
    """Each fault of the catalogue has one outcome case, which is named by it."""
    titles = [case.title for case in EXECUTOR_CASES if case.family == "outcome"]
    assert sorted(titles) == sorted(f"outcome.{name}" for name in FAULTS)


def test_ids_are_unique() -> None:
    """No number and no name is given twice in a family."""
    assert repeated(EXECUTOR_CASES) == []


def test_numbers_have_no_gaps() -> None:
    """So the next free number is the count of a family's cases plus one."""
    assert gaps(EXECUTOR_CASES) == {}


def test_cases_are_in_the_order_of_their_numbers() -> None:
    """Within each family."""
    numbers: dict[str, list[str]] = {}
    for case in EXECUTOR_CASES:
        numbers.setdefault(case.family, []).append(case.number)
    assert all(found == sorted(found) for found in numbers.values())


def test_the_first_case_is_the_prerequisite() -> None:
    """A healthy weave: without it no other case makes sense."""
    assert EXECUTOR_CASES[:1] == PREREQUISITES


@pytest.mark.parametrize("case", EXECUTOR_CASES, ids=lambda case: case.title)
def test_a_case_describes_itself(case: Case) -> None:
    """Requirement, source, scenario and expectation are there for the report."""
    assert all((case.requirement, case.source, case.scenario, case.expected))


def test_every_family_has_its_folder() -> None:
    """A family's cases are in the folder of its name."""
    folders = {path.parent.name for path in Path(cases.__file__).parent.glob("*/__init__.py")}
    assert folders == {case.family for case in EXECUTOR_CASES}


@pytest.mark.parametrize("case", EXECUTOR_CASES, ids=lambda case: case.title)
def test_a_case_is_in_the_folder_of_its_family(case: Case) -> None:
    """So the next free number is seen in one place."""
    assert case.body.__module__.split(".")[-2] == case.family
