"""`Defect`: a planted defect and the case that must find it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Defect:
    """An executor, the case that must fail for it, and a regular expression that the failure's text
    must match."""

    executor: type[Any]
    case: str
    says: str
