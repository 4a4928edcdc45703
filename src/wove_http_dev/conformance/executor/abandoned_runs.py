"""Helpers for cases about cancellation: they make Wove give up a run that the worker does not
answer, and find the cancel_task frame that the executor then sends."""

from __future__ import annotations

from typing import Any

from wove_http_dev.conformance.case import CaseFailed
from wove_http_dev.conformance.executor.background_weave import Remote
from wove_http_dev.conformance.executor.context import CaseContext
from wove_http_dev.conformance.executor.received import frames_of
from wove_http_dev.conformance.executor.time_limits import note_passed
from wove_http_dev.conformance.executor.waits import give_up, wait_until_async
from wove_http_dev.runs.records import Exchange, Run
from wove_http_dev.worker import HttpWorker

CANCEL_WITHIN = 2.0
"""Seconds within which a cancel_task must arrive; a correct executor sends it at once."""
ABANDONED = "merge:abandoned"
"""The task whose run the worker holds (does not start) until Wove gives it up."""
TIMEOUTS = (0.15, 0.6, 2.4)
"""Seconds of the ``delivery_timeout``, one after the other until a run arrives before its end."""
NO_CANCEL = "no cancel_task arrived"
"""Why a case about some other property of a cancel_task is skipped."""


def cancels_of(worker: HttpWorker, run_id: str | None) -> list[Exchange]:
    """Return the cancel_task requests for the run ``run_id`` that ``worker`` has received."""
    return [frame for frame in frames_of(worker, "cancel_task") if frame.run_id == run_id]


async def abandon_run(
    check: CaseContext, worker: HttpWorker, remote: Remote, **options: Any
) -> Exchange | None:
    """Start a run of :data:`ABANDONED`, wait until Wove gives it up, and return the cancel_task
    request for it, or ``None`` if no such request arrived in time.

    ``worker`` must hold the run. Wove gives it up after its ``delivery_timeout``; if it has not
    arrived until then, another one is started with a longer one. Raises :class:`CaseFailed` if no
    run arrived.
    """
    before = {run.run_id for run in worker.journal.runs[ABANDONED]}
    for timeout in TIMEOUTS:
        outcome = await give_up(remote("abandoned", delivery_timeout=timeout, **options))
        runs = [
            run
            for run in worker.journal.runs[ABANDONED]
            if run.run_id not in before and not _overtaken(worker, run)
        ]
        if runs:
            break
        note_passed()  # the run came too late, or not at all
    else:
        raise CaseFailed(
            f"the run that Wove should abandon never arrived (see also routing.10): {outcome}",
            late=True,
        )
    run_id = runs[-1].run_id
    await wait_until_async(lambda: bool(cancels_of(worker, run_id)), check.seconds(CANCEL_WITHIN))
    return next(iter(cancels_of(worker, run_id)), None)


def _overtaken(worker: HttpWorker, run: Run) -> bool:
    """Return whether a cancel_task for ``run`` came before the run, which was then unknown. On a
    busy machine that happens to a correct executor as well."""
    return any(cancel.received < run.received for cancel in cancels_of(worker, run.run_id))


async def wait_for_answer(exchange: Exchange, seconds: float) -> bool:
    """Wait at most ``seconds`` for the worker to answer ``exchange``; return whether it has
    answered."""
    return await wait_until_async(lambda: exchange.duration is not None, seconds)
