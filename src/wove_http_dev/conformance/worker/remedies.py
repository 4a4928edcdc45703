"""How to mend a worker service that fails a case, and which function of a reference does it
right: the rows of all families. Those of one family are in the ``remedies.py`` of its folder."""

from __future__ import annotations

from wove_http_dev.conformance.case import Remedy
from wove_http_dev.conformance.worker.cases.auth import remedies as auth
from wove_http_dev.conformance.worker.cases.cancel import remedies as cancel
from wove_http_dev.conformance.worker.cases.concurrency import remedies as concurrency
from wove_http_dev.conformance.worker.cases.errors import remedies as errors
from wove_http_dev.conformance.worker.cases.frames import remedies as frames
from wove_http_dev.conformance.worker.cases.limits import remedies as limits
from wove_http_dev.conformance.worker.cases.run import remedies as run
from wove_http_dev.conformance.worker.cases.transport import remedies as transport

REMEDIES: tuple[tuple[str, Remedy], ...] = (
    *transport.REMEDIES,
    *auth.REMEDIES,
    *frames.REMEDIES,
    *run.REMEDIES,
    *errors.REMEDIES,
    *cancel.REMEDIES,
    *concurrency.REMEDIES,
    *limits.REMEDIES,
)
"""For each case the first row with its id, else with its family."""
