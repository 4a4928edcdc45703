"""Workers with one planted defect each, and the case that must flag it in words that name it."""

from __future__ import annotations

from tests.conformance.worker.defects import (
    auth,
    cancel,
    concurrency,
    credentials,
    errors,
    frames,
    limits,
    replays,
    run,
    shared_process,
    signatures,
    transport,
    unusual_moments,
    unusual_values,
)
from tests.conformance.worker.defects.base import DEFECTS, Defect

__all__ = [
    "DEFECTS",
    "Defect",
    "auth",
    "cancel",
    "concurrency",
    "credentials",
    "errors",
    "frames",
    "limits",
    "replays",
    "run",
    "shared_process",
    "signatures",
    "transport",
    "unusual_moments",
    "unusual_values",
]
