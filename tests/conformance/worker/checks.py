"""Runs a check in this process, as the command line does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wove_http_dev.conformance.case import Result
from wove_http_dev.conformance.runner import Checking, select
from wove_http_dev.conformance.worker.client import Service
from wove_http_dev.conformance.worker.context import PATIENCE, Laboratory
from wove_http_dev.conformance.worker.suite import BUDGET, GATES, LOSSES, WORKER_CASES


def check(
    url: str,
    *globs: str,
    exclude: Sequence[str] = (),
    known: Sequence[str] = (),
    budget: float = BUDGET,
    patience: float = PATIENCE,
    **credentials: Any,
) -> list[Result]:
    """The results of the cases that match ``globs`` (all, without one)."""
    laboratory = Laboratory(Service(url, **credentials), patience=patience)
    try:
        checking = Checking(
            laboratory.case,
            budget=budget,
            losses=min(budget, LOSSES),
            alive=laboratory.alive,
            known=known,
        )
        return checking.run(select(WORKER_CASES, globs, exclude), GATES)
    finally:
        laboratory.close()


def fallen(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Cases that are neither passed nor skipped, and why: the SHOULDs as well."""
    return [(r.case.title, r.actual) for r in results if r.status not in ("passed", "skipped")]
