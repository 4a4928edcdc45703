"""How to mend an executor that fails a case of the family ``retries``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.executor.cases import EXAMPLE

REMEDIES = (
    (
        "retries.03",
        Remedy(
            "Before a frame is sent, look whether its run was abandoned.",
            f"{EXAMPLE}: ConformingExecutor.post()",
        ),
    ),
    (
        "retries.04 retries.08",
        Remedy(
            "After a 503 wait as long as Retry-After says, at most the timeout, before "
            "the error is reported.",
            f"{EXAMPLE}: ConformingExecutor.pause()",
        ),
    ),
    (
        "retries.07",
        Remedy(
            "Read Retry-After as a number or as a date, take anything else for 0, and let "
            "no wait for it hold up stop().",
            f"{EXAMPLE}: ConformingExecutor.retry_after()",
        ),
    ),
    (
        "retries.09",
        Remedy(
            "Apply the timeout to the connection and its TLS handshake as well, and look "
            "afterwards whether the run was abandoned.",
            f"{EXAMPLE}: ConformingExecutor.post()",
        ),
    ),
    (
        "retries",
        Remedy(
            "Send each frame once as it is, and leave retries, and their run_id, to Wove.",
            f"{EXAMPLE}: ConformingExecutor.post()",
        ),
    ),
)
