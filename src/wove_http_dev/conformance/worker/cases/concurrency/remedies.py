"""How to mend a worker service that fails a case of the family ``concurrency``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.worker.cases import CORE, FASTAPI

REMEDIES = (
    (
        "concurrency.03",
        Remedy(
            "Keep everything about a run in an object of its own, found by its run_id.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "concurrency.05",
        Remedy(
            "Load and pickle where the task runs, in its own thread or process, not in the event "
            "loop that serves requests and not under a lock.",
            f"{CORE}: Run.work()",
        ),
    ),
    (
        "concurrency.06",
        Remedy(
            "Send what tasks print in no answer, or capture it for each run by a context variable "
            "or in a process of its own, because sys.stdout is one for all runs.",
            f"{CORE}: handle()",
        ),
    ),
    (
        "concurrency",
        Remedy(
            "Serve each request in a thread of its own, or from a pool with more "
            "threads than Wove sends requests.",
            f"{FASTAPI}: wove_tasks()",
        ),
    ),
)
