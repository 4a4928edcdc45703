"""How fast the checks go that tests run, so that no verdict depends on how busy the machine is."""

from __future__ import annotations

from wove_http_dev.conformance.worker.machine import MOST

PACES = (0.2, 1.0, MOST)
"""The factors for all limits and waits with which a subject with a defect is checked, until its
defect is found."""
SHORT_SILENCE = 0.1
"""The factor for the waits for what should not happen, in a check of a subject without a defect."""
