"""How to mend an executor that fails a case of the family ``time``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.executor.cases import EXAMPLE

REMEDIES = (
    (
        "time.16",
        Remedy(
            "Wait no longer than the timeout for the answer to a require_ack cancel_task.",
            f"{EXAMPLE}: ConformingExecutor._cancel()",
        ),
    ),
    (
        "time.17",
        Remedy(
            "Read the secret, also that of an environment variable, anew in each start().",
            f"{EXAMPLE}: ConformingExecutor.start()",
        ),
    ),
    (
        "time.18 time.19",
        Remedy(
            "In stop(), close the connections of open runs and end the tasks that were made "
            "for them.",
            f"{EXAMPLE}: ConformingExecutor.stop()",
        ),
    ),
    (
        "time.14",
        Remedy(
            "Close the connection of each request, and those of open runs in stop().",
            f"{EXAMPLE}: ConformingExecutor.stop()",
        ),
    ),
    (
        "time.15",
        Remedy(
            "Change no default timeout, no environment variable and no other setting of"
            " the process or of the event loop; log instead of printing.",
            f"{EXAMPLE}: ConformingExecutor.tls_context()",
        ),
    ),
    (
        "time.34",
        Remedy(
            "Leave the sockets that Python makes as they are: child processes do not inherit them.",
            f"{EXAMPLE}: ConformingExecutor.connection()",
        ),
    ),
    (
        "time.30",
        Remedy(
            "Switch the timeout of the HTTP library off if none is configured.",
            f"{EXAMPLE}: ConformingExecutor.connection()",
        ),
    ),
    (
        "time.32",
        Remedy(
            "Wait in recv() for a queue, which the thread of a request wakes up.",
            f"{EXAMPLE}: ConformingExecutor.deliver()",
        ),
    ),
    (
        "time.33",
        Remedy(
            "Keep nothing of a run once its terminal frame is in the queue.",
            f"{EXAMPLE}: ConformingExecutor.post()",
        ),
    ),
    (
        "time.06",
        Remedy(
            "Make a task_error of an answer in which no terminal frame is for the run.",
            f"{EXAMPLE}: ConformingExecutor.read()",
        ),
    ),
    (
        "time.07",
        Remedy(
            "Read the answer in blocks, and give it up when it is larger than your limit.",
            f"{EXAMPLE}: ConformingExecutor._answer()",
        ),
    ),
    (
        "time.08 time.09 time.10 time.11 time.13 time.20 time.31",
        Remedy(
            "Do in threads of the executor's own what blocks, not in the event loop, "
            "nor in its default pool.",
            f"{EXAMPLE}: ConformingExecutor._in_thread()",
        ),
    ),
    (
        "time.21 time.22",
        Remedy(
            "Load payloads in a thread for which nothing waits, and make a task_error of it when "
            "the timeout ends.",
            f"{EXAMPLE}: ConformingExecutor.loading()",
        ),
    ),
    (
        "time.23 time.24 time.25",
        Remedy(
            "Let stop() end what is open and return at once, also if there is nothing to end.",
            f"{EXAMPLE}: ConformingExecutor.stop()",
        ),
    ),
    (
        "time",
        Remedy(
            "Give each request one deadline for all of it, from connecting to the last "
            "byte, that closes its connection.",
            f"{EXAMPLE}: ConformingExecutor.deadline()",
        ),
    ),
)
