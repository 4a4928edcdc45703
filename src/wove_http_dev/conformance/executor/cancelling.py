"""A run that is given up while the worker holds it, and the cancel_task that it is due.

Several families need one. What a case wants of it, and what it says when none arrives, is its own
business.
"""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.executor.context import attempt, frames_of, until_in_loop
from wove_http_dev.conformance.executor.weaving import Remote
from wove_http_dev.runs.records import Exchange
from wove_http_dev.worker import HttpWorker

SENT = 2.0
"""Seconds within which a cancel_task must arrive; it is due at once."""
GIVEN_UP = "merge:given_up"
"""What the worker is to hold."""
NONE_ARRIVED = "no cancel_task arrived (see cancel.01)"
"""Why a case about something else in a cancel_task is skipped."""


def cancels_of(worker: HttpWorker, run_id: str | None) -> list[Exchange]:
    """The cancel_task frames for one run."""
    return [frame for frame in frames_of(worker, "cancel_task") if frame.run_id == run_id]


async def given_up(worker: HttpWorker, remote: Remote, **options: Any) -> Exchange | None:
    """The cancel_task for a run that its delivery_timeout ends while it is held."""
    before = len(worker.journal.runs[GIVEN_UP])
    told = await attempt(remote("given_up", **{"delivery_timeout": 0.3, **options}))
    runs = worker.journal.runs[GIVEN_UP]
    if len(runs) == before:
        raise CaseFailed(
            f"the run that was to be given up never arrived (see also routing.10): {told}"
        )
    run_id = runs.last.run_id
    await until_in_loop(lambda: bool(cancels_of(worker, run_id)), SENT)
    return next(iter(cancels_of(worker, run_id)), None)


async def answered(exchange: Exchange, seconds: float) -> bool:
    """Wait until the worker has answered; whether it has."""
    return await until_in_loop(lambda: exchange.duration is not None, seconds)
