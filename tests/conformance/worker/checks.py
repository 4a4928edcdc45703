"""Runs a check of a worker service in this process, like the command line does.

No verdict depends on how busy the machine is. By default the limits that a correct service never
reaches are long, and the waits for what should not happen are short. A service with a defect is
checked at several paces, because its check goes through a limit or a wait in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.conformance.paces import SHORT_SILENCE
from wove_http_dev.conformance.case import Result
from wove_http_dev.conformance.runner import Checking, select
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.context import PATIENCE, Session
from wove_http_dev.conformance.worker.machine import MOST
from wove_http_dev.conformance.worker.suite import BUDGET, LOSSES, PREREQUISITES, WORKER_CASES


def check(
    url: str,
    *globs: str,
    exclude: Sequence[str] = (),
    known: Sequence[str] = (),
    budget: float = BUDGET,
    jobs: int = 1,
    again: bool = False,
    patience: float = PATIENCE,
    slowdown: float = MOST,
    silence: float = SHORT_SILENCE,
    **credentials: Any,
) -> list[Result]:
    """Return the results of the cases that match ``globs`` (all cases if there are none).
    ``slowdown`` is the factor for the limits, ``silence`` another one for waits. By default no
    case is run a second time: a defect may be that the service hangs."""
    service = ServiceUnderTest(url, **credentials)
    session = Session(service, patience=patience, slowdown=lambda: slowdown, silence=silence)
    try:
        checking = Checking(
            session.case,
            budget=budget,
            jobs=jobs,
            again=again,
            losses=min(budget, LOSSES),
            alive=session.alive,
            known=known,
        )
        return checking.run(select(WORKER_CASES, globs, exclude), PREREQUISITES)
    finally:
        session.close()


def failures(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Return title and message of each case that neither passed nor was skipped, including
    SHOULDs."""
    return [(r.case.title, r.actual) for r in results if r.status not in ("passed", "skipped")]
