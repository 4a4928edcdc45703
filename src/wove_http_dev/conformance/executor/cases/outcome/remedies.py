"""How to mend an executor that fails a case of the family ``outcome``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.executor.cases import EXAMPLE

REMEDIES = (
    (
        "outcome.task-cancelled outcome.timeout-exception",
        Remedy(
            "Make a task_error of a task_cancelled that no cancel_task asked for, and put no "
            "exception that is a TimeoutError or StopIteration into an event, only the error "
            "object: Wove's runtime ends the whole weave for the former, and takes the latter for "
            "a cancellation.",
            f"{EXAMPLE}: ConformingExecutor._terminal()",
        ),
    ),
    (
        "outcome",
        Remedy(
            "End every run in time with an event for it: give its request a deadline, check "
            "status, JSON, shape and run_id of the answer, and make a task_error of "
            "whatever goes wrong.",
            f"{EXAMPLE}: ConformingExecutor._run()",
        ),
    ),
)
