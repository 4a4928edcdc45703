"""Every planted defect is flagged by its case, with a message that names the defect."""

from __future__ import annotations

import re

import pytest

from tests.conformance.paces import PACES
from tests.conformance.parts import JOBS, parts
from tests.conformance.worker.checks import check, failures
from tests.conformance.worker.defects import DEFECTS, Defect
from tests.conformance.worker.defects.run import RunsTwice
from tests.conformance.worker.plain_worker import SECRET, PlainWorker
from wove_http_dev.conformance.worker.machine import MOST
from wove_http_dev.conformance.worker.suite import WORKER_CASES

PATIENCE = 1.0
"""Seconds for one answer, at the middle pace."""
MEASURED = "limits.06"
"""The case that compares times. It passes no limit because of a defect, and on a busy machine it
needs all of them, so only its number of requests is that of the pace."""
FLAGGED_ELSEWHERE = {
    "transport.01": "test_hostile",
    "transport.02": "test_policy",
    "auth.01": "test_hostile",
    "auth.09": "test_bearer",
    "auth.42": "test_web_pages",
    "auth.46": "test_bearer",
}


def _name(defect: Defect) -> str:
    return f"{defect.case}-{defect.worker.__name__}"


@pytest.mark.parametrize("defect", DEFECTS, ids=_name)
def test_a_planted_defect_is_flagged(defect: Defect) -> None:
    """The case that looks for the defect fails, with a message that names it."""
    for pace in PACES:
        with defect.worker() as worker:
            results = check(
                worker.url,
                *defect.after,
                defect.case,
                secret=SECRET,
                patience=PATIENCE,
                slowdown=MOST if defect.case == MEASURED else pace,
                silence=pace,
            )
        said = dict(failures(results))
        named = [text for title, text in said.items() if title.startswith(f"{defect.case}-")]
        if named and re.search(defect.says, named[0], re.DOTALL):
            return
    pytest.fail(f"the case did not flag the defect: {said or results}")


@pytest.mark.parametrize("ids", parts(WORKER_CASES, 3), ids=lambda ids: f"{ids[0]}-and-others")
def test_the_worker_without_a_defect_is_flagged_by_nothing(ids: list[str]) -> None:
    """The worker without a defect passes every case, and no text about what a case sent contains
    the secret or a part of a signature."""
    with PlainWorker() as worker:
        results = check(worker.url, *ids, jobs=JOBS, secret=SECRET)
    assert failures(results) == []
    assert not any(SECRET in result.sent or "v1=" in result.sent for result in results)


def test_a_defect_is_not_blamed_on_replays() -> None:
    """If a task runs twice for one request, run.09 fails, but not the cases about replays."""
    with RunsTwice() as worker:
        results = check(worker.url, "auth.1[123]", "run.09", secret=SECRET)
    assert [title for title, _ in failures(results)] == ["run.09-runs-once"]


def test_every_case_has_a_defect_that_it_flags() -> None:
    """Every case has a defect that makes it fail."""
    flagged = {defect.case for defect in DEFECTS} | set(FLAGGED_ELSEWHERE)
    assert {case.id for case in WORKER_CASES} - flagged == set()
