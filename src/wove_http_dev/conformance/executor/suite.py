"""All cases for an executor, in order, and the one that must hold before any other makes sense.
It adds nothing of its own."""

from __future__ import annotations

from wove_http_dev.conformance.executor.cases import loop, security, transport
from wove_http_dev.conformance.executor.cases.cancel import cancel
from wove_http_dev.conformance.executor.cases.errors import errors
from wove_http_dev.conformance.executor.cases.frames import frames
from wove_http_dev.conformance.executor.cases.outcome import outcome
from wove_http_dev.conformance.executor.cases.retries import retries
from wove_http_dev.conformance.executor.cases.routing import routing
from wove_http_dev.conformance.report import Case

_FAMILIES = (
    frames,
    errors,
    security.security,
    routing,
    cancel,
    loop.time,
    retries,
    outcome,
)
assert transport.security is security.security  # imported for the cases that it adds
EXECUTOR_CASES: tuple[Case, ...] = tuple(
    case for family in _FAMILIES for case in sorted(family.cases, key=lambda case: case.id)
)
GATES: tuple[Case, ...] = tuple(case for case in EXECUTOR_CASES if case.gate)
BUDGET = 300.0
"""Seconds after which no further case begins. An executor that fails each case by a hang needs
about that; Wove's own needs a tenth."""
