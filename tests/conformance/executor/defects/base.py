"""What a planted defect is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Defect:
    """An executor, the case that must fail for it, and what the case must say (a regular
    expression)."""

    executor: type[Any]
    case: str
    says: str
