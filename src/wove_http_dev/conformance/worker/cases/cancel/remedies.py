"""How to mend a worker service that fails a case of the family ``cancel``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.worker.cases import CORE, FASTAPI

REMEDIES = (
    (
        "cancel.02 cancel.13 cancel.16 cancel.17 cancel.18",
        Remedy(
            "Let the first outcome of a run count, under a lock, and answer the run's "
            "own POST with it; answer a cancel_task without events if its run ends "
            "meanwhile, when the run's event loop may be closed and raise.",
            f"{CORE}: Run.settle()",
        ),
    ),
    (
        "cancel.03",
        Remedy(
            "Cancel the asyncio task of the run from its own event loop, with "
            "call_soon_threadsafe().",
            f"{CORE}: Run.cancel()",
        ),
    ),
    (
        "cancel.06 cancel.07 cancel.08",
        Remedy(
            "With require_ack, ask the body to stop, wait a second or two for its end, and say "
            "task_cancelled only if it has ended.",
            f"{CORE}: Run.cancel()",
        ),
    ),
    (
        "cancel.21",
        Remedy(
            "With require_ack, wait a second or two for the end of the body; if it still runs "
            "then, answer without events.",
            f"{CORE}: Run.cancel()",
        ),
    ),
    (
        "cancel.15 cancel.20",
        Remedy(
            "Know a run by its run_id before its pickles are loaded, and look whether it was "
            "cancelled meanwhile when its body would start.",
            f"{CORE}: Run.work()",
        ),
    ),
    (
        "cancel.09",
        Remedy(
            "Find the run by its whole run_id, in the process that runs its body, and keep a thread"
            " for cancel_task while runs wait: one process with threads (gunicorn --workers 1"
            " --threads 40), not several that know only their own runs.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "cancel.14",
        Remedy(
            "Keep a thread for cancel_task while every run waits: from a pool of its own, "
            "or from one with more threads than Wove sends runs at once.",
            f"{FASTAPI}: wove_tasks()",
        ),
    ),
    (
        "cancel",
        Remedy(
            "Find the run by its whole run_id, ask it to stop, and answer at once; "
            "answer an unknown or ended run without events.",
            f"{CORE}: handle()",
        ),
    ),
)
