"""The list of all executor cases, and the shipped list of known failures of Wove's own executor."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from wove.environment import HttpEnvironmentExecutor

from tests.conformance.executor.checks import check, failed
from tests.conformance.numbering import gaps, repeated
from tests.conformance.paces import PACES
from tests.conformance.parts import JOBS, parts
from wove_http_dev.conformance.case import FAILED, Case
from wove_http_dev.conformance.executor import cases
from wove_http_dev.conformance.executor.cases.routing import foreign_answers
from wove_http_dev.conformance.executor.executor_under_test import (
    ExecutorUnderTest,
    builtin_executor,
)
from wove_http_dev.conformance.executor.suite import EXECUTOR_CASES, PREREQUISITES
from wove_http_dev.conformance.known_failures import shipped_list
from wove_http_dev.conformance.runner import select
from wove_http_dev.conformance.worker.machine import MOST
from wove_http_dev.faults import FAULTS


def _first(ids: list[str]) -> str:
    return f"{ids[0]}-and-others"


EXECUTOR, KNOWN = builtin_executor("http"), shipped_list(EXECUTOR_CASES)
LISTED = {case.id for case in select(EXECUTOR_CASES, KNOWN, ())}


@pytest.mark.parametrize("ids", parts(EXECUTOR_CASES, 16), ids=_first)
def test_what_is_not_on_the_shipped_list_passes(ids: list[str]) -> None:
    """Wove's http executor passes every case that is not on the shipped list."""
    assert failed(check(EXECUTOR, *set(ids) - LISTED, jobs=JOBS)) == {}


@pytest.fixture
def large_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a connection is read in pieces of 256 KiB: time.07 sends 272 MiB, and Python
    reads 8 KiB at a time, which takes half of the time of all known failures."""

    def read_all(stream: socket.SocketIO) -> bytes:
        return b"".join(iter(lambda: stream.read(2**18), b""))

    monkeypatch.setattr(socket.SocketIO, "readall", read_all)


@pytest.mark.usefixtures("large_reads")
@pytest.mark.parametrize("ids", parts(select(EXECUTOR_CASES, KNOWN, ()), 15), ids=_first)
def test_what_is_on_the_shipped_list_fails(ids: list[str]) -> None:
    """Wove's http executor fails every case that is on the shipped list, at some pace."""
    for pace in PACES:
        results = check(EXECUTOR, *ids, known=KNOWN, slowdown=pace, silence=pace, jobs=JOBS)
        ids = [r.case.id for r in results if r.status != FAILED]
        if not ids:
            return
    pytest.fail(f"not failed: {ids}")


class Slow(HttpEnvironmentExecutor):
    """Wove's executor on a busy machine: a request is sent after 0.15 s."""

    async def _post_frame(self, frame: dict[str, Any], tracking_id: str) -> None:
        await asyncio.sleep(0.15)
        await super()._post_frame(frame, tracking_id)


@pytest.mark.parametrize("case", ["routing.03", "routing.06", "routing.07"])
def test_a_wrong_answer_may_come_late_on_a_busy_machine(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listed failure is seen where the time limits are multiplied; otherwise the list would look
    out of date."""
    monkeypatch.setattr(foreign_answers, "ARRIVED", 0.1)  # less than a request takes
    results = check(ExecutorUnderTest("slow", Slow), case, slowdown=4 * MOST, silence=0.02)
    assert results[-1].status == FAILED


def test_every_fault_has_its_case() -> None:
    """Each fault of the catalogue has one outcome case, with the fault's name."""
    titles = [case.title for case in EXECUTOR_CASES if case.family == "outcome"]
    assert sorted(titles) == sorted(f"outcome.{name}" for name in FAULTS)


def test_ids_are_unique() -> None:
    """Numbers and names of cases are unique in each family."""
    assert repeated(EXECUTOR_CASES) == []


def test_numbers_have_no_gaps() -> None:
    """The cases of a family are numbered without gaps."""
    assert gaps(EXECUTOR_CASES) == {}


def test_cases_are_in_the_order_of_their_numbers() -> None:
    """The cases of a family are listed by number."""
    numbers: dict[str, list[str]] = {}
    for case in EXECUTOR_CASES:
        numbers.setdefault(case.family, []).append(case.number)
    assert all(found == sorted(found) for found in numbers.values())


def test_the_first_case_is_the_prerequisite() -> None:
    """The first case, a healthy weave, is the only prerequisite."""
    assert EXECUTOR_CASES[:1] == PREREQUISITES


def test_a_case_describes_itself() -> None:
    """Every case has a requirement, a source, a scenario and an expectation."""

    def describes_itself(case: Case) -> bool:
        return all((case.requirement, case.source, case.scenario, case.expected))

    assert [case.title for case in EXECUTOR_CASES if not describes_itself(case)] == []


def test_every_family_has_its_folder() -> None:
    """Each family has a folder of the same name."""
    folders = {path.parent.name for path in Path(cases.__file__).parent.glob("*/__init__.py")}
    assert folders == {case.family for case in EXECUTOR_CASES}


def test_a_case_is_in_the_folder_of_its_family() -> None:
    """Each case is defined in the folder of its family."""
    folders = {case.title: case.body.__module__.split(".")[-2] for case in EXECUTOR_CASES}
    assert folders == {case.title: case.family for case in EXECUTOR_CASES}
