"""Wove's own executor: it falls short where the shipped list says, and nowhere else."""

from __future__ import annotations

from tests.conformance.executor.checks import check
from wove_http_dev.conformance.executor.subject import named
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
from wove_http_dev.conformance.known_failures import shipped_list
from wove_http_dev.faults import FAULTS


def test_the_shipped_list_is_exact() -> None:
    """With it, no result of Wove's http executor falls short, and none passes unexpectedly."""
    results = check(named("http"), known=shipped_list(EXECUTOR_CASES))
    short = {r.case.title: (r.status, r.actual) for r in results if r.is_shortfall(strict=True)}
    assert short == {}


def test_every_fault_has_its_case() -> None:
    """Each fault of the catalogue has one outcome case, which is named by it."""
    titles = [case.title for case in EXECUTOR_CASES if case.family == "outcome"]
    assert sorted(titles) == sorted(f"outcome.{name}" for name in FAULTS)


def test_ids_are_unique() -> None:
    """No two cases share a number."""
    ids = [case.id for case in EXECUTOR_CASES]
    assert len(ids) == len(set(ids))


def test_every_case_says_what_it_is() -> None:
    """Requirement, source, what is sent and what is expected are there for the report."""
    for case in EXECUTOR_CASES:
        assert all((case.requirement, case.source, case.scenario, case.expected)), case.title
