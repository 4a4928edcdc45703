"""Wove's own executor: it falls short where the shipped list says, and nowhere else."""

from __future__ import annotations

import pytest

from tests.conformance.executor.checks import check
from wove_http_dev.conformance.executor.subject import named
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES
from wove_http_dev.conformance.known_failures import listed, read_list, shipped_list
from wove_http_dev.errors import UsageError
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


@pytest.mark.parametrize(
    ("python", "globs"), [((3, 10), ["time.01"]), ((3, 11), ["time.01", "time.02"])]
)
def test_a_condition_on_python(python: tuple[int, int], globs: list[str]) -> None:
    """A line with a condition holds for the Pythons that it names."""
    text = 'time.01  # always\ntime.02 ; python_version >= "3.11"  # since then\n\n# nothing\n'
    assert read_list(text, "list", EXECUTOR_CASES, python) == globs


@pytest.mark.parametrize(
    ("text", "says"),
    [("no.such", "matches no case"), ("time.01 ; sys.platform == 'x'", "no condition")],
)
def test_a_bad_line(text: str, says: str) -> None:
    """A line that means nothing is an error that quotes it."""
    with pytest.raises(UsageError, match=says):
        read_list(text, "list", EXECUTOR_CASES)


def test_a_wove_without_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a version without a list the error says which there are."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.1.0")
    with pytest.raises(UsageError, match=r"no list is shipped for wove 9\.1 \(there is wove-2\.0"):
        listed("builtin", EXECUTOR_CASES)
