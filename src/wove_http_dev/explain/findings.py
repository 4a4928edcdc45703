"""What a check of ``doctor`` says: one line that begins with ``ok``, ``problem`` or ``skipped``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wove_http_dev.printable import printable

LONGEST = 600
"""Characters of a finding that are shown; more can only be a text from outside."""


class Problem(Exception):
    """Raised by a check. The message says what will go wrong, and what to do."""


@dataclass(frozen=True)
class Finding:
    """What one check says."""

    verdict: Literal["ok", "problem", "skipped"]
    check: str
    """The name of the check."""
    text: str
    """What was found; for a problem, also what to do."""

    def line(self) -> str:
        """Return the finding as one line for a terminal."""
        return f"{self.verdict:<8} {self.check:<19} {printable(self.text)[:LONGEST]}".rstrip()
