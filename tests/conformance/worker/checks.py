"""Runs a check of a worker service in this process, like the command line does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wove_http_dev.conformance.case import Result
from wove_http_dev.conformance.runner import Checking, select
from wove_http_dev.conformance.worker.client import ServiceUnderTest
from wove_http_dev.conformance.worker.context import PATIENCE, Session
from wove_http_dev.conformance.worker.suite import BUDGET, LOSSES, PREREQUISITES, WORKER_CASES


def check(
    url: str,
    *globs: str,
    exclude: Sequence[str] = (),
    known: Sequence[str] = (),
    budget: float = BUDGET,
    patience: float = PATIENCE,
    slowdown: Callable[[], float] | None = None,
    **credentials: Any,
) -> list[Result]:
    """Return the results of the cases that match ``globs`` (all cases if there are none)."""
    session = Session(ServiceUnderTest(url, **credentials), patience=patience, slowdown=slowdown)
    try:
        checking = Checking(
            session.case,
            budget=budget,
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
