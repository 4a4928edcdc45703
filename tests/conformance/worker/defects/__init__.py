"""Workers with one planted defect each, and the case that must flag it in words that name it."""

from __future__ import annotations

from tests.conformance.worker.defects import (
    access,
    bodies,
    cancelling,
    forging,
    framing,
    load,
    nearly,
)
from tests.conformance.worker.defects.base import DEFECTS, Defect

__all__ = [
    "DEFECTS",
    "Defect",
    "access",
    "bodies",
    "cancelling",
    "forging",
    "framing",
    "load",
    "nearly",
]
