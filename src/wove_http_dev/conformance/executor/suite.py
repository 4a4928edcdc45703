"""All cases for an executor, in order, and the one that must hold before any other makes sense.
It adds nothing of its own."""

from __future__ import annotations

from wove_http_dev.conformance.case import Case
from wove_http_dev.conformance.executor.cases.cancel.cancel import cancel
from wove_http_dev.conformance.executor.cases.errors.errors import errors
from wove_http_dev.conformance.executor.cases.frames.frames import frames
from wove_http_dev.conformance.executor.cases.outcome.outcome import outcome
from wove_http_dev.conformance.executor.cases.retries.retries import retries
from wove_http_dev.conformance.executor.cases.routing.routing import routing
from wove_http_dev.conformance.executor.cases.security.credentials import credentials
from wove_http_dev.conformance.executor.cases.security.redirects import redirects
from wove_http_dev.conformance.executor.cases.security.requests import security
from wove_http_dev.conformance.executor.cases.security.transport import transport
from wove_http_dev.conformance.executor.cases.time.event_loop import loop
from wove_http_dev.conformance.executor.cases.time.leftovers import leftovers
from wove_http_dev.conformance.executor.cases.time.timeouts import time

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
PREREQUISITES: tuple[Case, ...] = tuple(case for case in EXECUTOR_CASES if case.prerequisite)
BUDGET = 180.0
"""Seconds after which no further case begins. An executor that swallows all errors needs about
that; Wove's own, a fifth."""
