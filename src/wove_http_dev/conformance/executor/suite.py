"""All cases for an executor, in order, and the one that must hold before any other makes sense.
It adds nothing of its own."""

from __future__ import annotations

from wove_http_dev.conformance.executor.cases.cancel import cancel
from wove_http_dev.conformance.executor.cases.credentials import credentials
from wove_http_dev.conformance.executor.cases.errors import errors
from wove_http_dev.conformance.executor.cases.frames import frames
from wove_http_dev.conformance.executor.cases.leftovers import leftovers
from wove_http_dev.conformance.executor.cases.loop import loop
from wove_http_dev.conformance.executor.cases.outcome import outcome
from wove_http_dev.conformance.executor.cases.redirects import redirects
from wove_http_dev.conformance.executor.cases.retries import retries
from wove_http_dev.conformance.executor.cases.routing import routing
from wove_http_dev.conformance.executor.cases.security import security
from wove_http_dev.conformance.executor.cases.time import time
from wove_http_dev.conformance.executor.cases.transport import transport
from wove_http_dev.conformance.report import Case

_ROOMS = (
    frames,
    errors,
    redirects,
    security,
    transport,
    credentials,
    routing,
    cancel,
    time,
    loop,
    leftovers,
    retries,
    outcome,
)
_FAMILIES = list(dict.fromkeys(room.name for room in _ROOMS))
EXECUTOR_CASES: tuple[Case, ...] = tuple(
    sorted(
        (case for room in _ROOMS for case in room.cases),
        key=lambda case: (_FAMILIES.index(case.family), case.id),
    )
)
GATES: tuple[Case, ...] = tuple(case for case in EXECUTOR_CASES if case.gate)
BUDGET = 180.0
"""Seconds after which no further case begins. An executor that swallows all errors needs about
that; Wove's own, a fifth."""
