"""How to mend an executor that fails a case of the family ``cancel``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.executor.cases import EXAMPLE

REMEDIES = (
    (
        "cancel.05 cancel.11",
        Remedy(
            "Ignore whatever a cancel_task is answered with.",
            f"{EXAMPLE}: ConformingExecutor._cancel()",
        ),
    ),
    (
        "cancel.04 cancel.10",
        Remedy(
            "POST each cancel_task once, in a thread or a task of its own that stop() does not "
            "end and that does not wait for a run.",
            f"{EXAMPLE}: ConformingExecutor._cancel()",
        ),
    ),
    (
        "cancel.12 cancel.13 cancel.14 cancel.15",
        Remedy(
            "Catch whatever goes wrong with a cancel_task where it is sent, make no event of it, "
            "and let send() raise nothing for a run that is unknown, ended or cancelled.",
            f"{EXAMPLE}: ConformingExecutor._cancel()",
        ),
    ),
    (
        "cancel",
        Remedy(
            "POST Wove's cancel_task as it is, at once and besides all runs, to the "
            "same URL; with require_ack wait for its answer.",
            f"{EXAMPLE}: ConformingExecutor._cancel()",
        ),
    ),
)
