"""All cases for a worker service, in order, and the three that must hold before any other makes
sense. It adds nothing of its own."""

from __future__ import annotations

from wove_http_dev.conformance.case import Case
from wove_http_dev.conformance.worker.cases.auth.credentials import auth
from wove_http_dev.conformance.worker.cases.auth.near_misses import forgeries
from wove_http_dev.conformance.worker.cases.auth.refusals import refusals
from wove_http_dev.conformance.worker.cases.auth.replay import replay
from wove_http_dev.conformance.worker.cases.auth.verification_order import ladders
from wove_http_dev.conformance.worker.cases.cancel.acknowledgement import acknowledging
from wove_http_dev.conformance.worker.cases.cancel.cancellation import cancel
from wove_http_dev.conformance.worker.cases.concurrency.concurrency import concurrency
from wove_http_dev.conformance.worker.cases.errors.error_frames import errors
from wove_http_dev.conformance.worker.cases.errors.survives_bad_tasks import survival
from wove_http_dev.conformance.worker.cases.frames.bad_frames import rejections
from wove_http_dev.conformance.worker.cases.frames.event_frames import frames
from wove_http_dev.conformance.worker.cases.limits.leaks import leaks
from wove_http_dev.conformance.worker.cases.limits.limits import limits
from wove_http_dev.conformance.worker.cases.limits.verification_cost import growth
from wove_http_dev.conformance.worker.cases.run.repeats import repeats
from wove_http_dev.conformance.worker.cases.run.values import running
from wove_http_dev.conformance.worker.cases.transport.transport import transport

_FAMILIES = (
    transport,
    repeats,  # where runs are mistaken for each other, every later case says something else
    auth,
    replay,
    refusals,
    forgeries,
    ladders,
    frames,
    rejections,
    running,
    errors,
    survival,
    cancel,
    acknowledging,
    concurrency,
    limits,
    growth,
    leaks,
)
WORKER_CASES: tuple[Case, ...] = tuple(case for family in _FAMILIES for case in family.cases)
PREREQUISITES: tuple[Case, ...] = tuple(case for case in WORKER_CASES if case.prerequisite)
BUDGET = 180.0
"""Seconds after which no further case begins; a healthy service needs a tenth of them."""
LOSSES = 35.0
"""Seconds for cases that do not pass, so that a service that hangs is told within a minute."""
