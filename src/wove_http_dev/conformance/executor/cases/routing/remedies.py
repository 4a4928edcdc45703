"""How to mend an executor that fails a case of the family ``routing``."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.executor.cases import EXAMPLE

REMEDIES = (
    (
        "routing.01",
        Remedy(
            "Take from an answer only events whose whole run_id is that of the request, and wait "
            "for answers in threads of your own: asyncio's default pool may be full.",
            f"{EXAMPLE}: ConformingExecutor.read()",
        ),
    ),
    (
        "routing.10",
        Remedy(
            "Send each frame at once, in a thread of its own.",
            f"{EXAMPLE}: ConformingExecutor.send()",
        ),
    ),
    (
        "routing.17 routing.21",
        Remedy(
            "Close the connection after an answer, at least if it is not whole, or if more arrives "
            "on it than the answer.",
            f"{EXAMPLE}: ConformingExecutor.close()",
        ),
    ),
    (
        "routing.18 routing.19",
        Remedy(
            "Read the configuration anew in each start(), keep it and the open connections in the "
            "instance, and let stop() end only those.",
            f"{EXAMPLE}: ConformingExecutor.start()",
        ),
    ),
    (
        "routing.20",
        Remedy(
            "Send every frame, and recognise runs by their run_id only, never by what they hold.",
            f"{EXAMPLE}: ConformingExecutor.send()",
        ),
    ),
    (
        "routing",
        Remedy(
            "Take from an answer only events whose whole run_id is that of the request.",
            f"{EXAMPLE}: ConformingExecutor.read()",
        ),
    ),
)
