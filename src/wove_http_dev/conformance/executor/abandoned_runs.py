"""Helpers for cases about cancellation: make Wove abandon a held run, and find the cancel_task sent
for it."""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.context import (
    attempt,
    frames_of,
    in_seconds,
    wait_until_async,
)
from wove_http_dev.runs.records import Exchange
from wove_http_dev.worker import HttpWorker

CANCEL_WITHIN = 2.0
"""Seconds within which a cancel_task must arrive. A correct executor sends it at once."""
ABANDONED = "merge:abandoned"
"""The task that a case holds at the worker and then abandons."""
NO_CANCEL = "no cancel_task arrived (see cancel.01)"
"""The reason for skipping a case about another property of a cancel_task."""


def cancels_of(worker: HttpWorker, run_id: str | None) -> list[Exchange]:
    """The cancel_task frames for one run."""
    return [frame for frame in frames_of(worker, "cancel_task") if frame.run_id == run_id]


async def abandon_run(worker: HttpWorker, remote: Remote, **options: Any) -> Exchange | None:
    """Start a run of :data:`ABANDONED`, which ``worker`` must hold, and wait until Wove abandons it
    (after 0.3 s unless ``options`` say otherwise, and later on a busy machine, where the run needs
    longer to arrive); return its cancel_task, or ``None`` if none arrived in time.

    Raises :class:`CaseFailed` if the run itself never arrived.
    """
    before = len(worker.journal.runs[ABANDONED])
    options = {"delivery_timeout": 0.3, **options}
    options["delivery_timeout"] = in_seconds(options["delivery_timeout"])
    outcome = await attempt(remote("abandoned", **options))
    runs = worker.journal.runs[ABANDONED]
    if len(runs) == before:
        raise CaseFailed(
            f"the run that Wove should abandon never arrived (see also routing.10): {outcome}"
        )
    run_id = runs.last.run_id
    await wait_until_async(lambda: bool(cancels_of(worker, run_id)), in_seconds(CANCEL_WITHIN))
    return next(iter(cancels_of(worker, run_id)), None)


async def wait_for_answer(exchange: Exchange, seconds: float) -> bool:
    """Wait at most ``seconds`` until the worker has answered ``exchange``; return whether it
    has."""
    return await wait_until_async(lambda: exchange.duration is not None, seconds)
