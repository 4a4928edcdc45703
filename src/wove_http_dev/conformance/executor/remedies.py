"""How to mend an executor that fails a case, and which function of a reference does it
right: the rows of all families. Those of one family are in the ``remedies.py`` of its folder."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.executor.cases.cancel import remedies as cancel
from wove_http_dev.conformance.executor.cases.errors import remedies as errors
from wove_http_dev.conformance.executor.cases.frames import remedies as frames
from wove_http_dev.conformance.executor.cases.outcome import remedies as outcome
from wove_http_dev.conformance.executor.cases.retries import remedies as retries
from wove_http_dev.conformance.executor.cases.routing import remedies as routing
from wove_http_dev.conformance.executor.cases.security import remedies as security
from wove_http_dev.conformance.executor.cases.time import remedies as time

REMEDIES: tuple[tuple[str, Remedy], ...] = (
    *frames.REMEDIES,
    *errors.REMEDIES,
    *security.REMEDIES,
    *routing.REMEDIES,
    *cancel.REMEDIES,
    *time.REMEDIES,
    *retries.REMEDIES,
    *outcome.REMEDIES,
)
"""For each case the first row with its id, else with its family."""
