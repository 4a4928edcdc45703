"""All cases for a worker service, in order, and the three that must hold before any other makes
sense. It adds nothing of its own."""

from __future__ import annotations

from wove_http_dev.conformance.report import Case
from wove_http_dev.conformance.worker.cases.acknowledging import acknowledging
from wove_http_dev.conformance.worker.cases.auth import auth
from wove_http_dev.conformance.worker.cases.cancel import cancel
from wove_http_dev.conformance.worker.cases.concurrency import concurrency
from wove_http_dev.conformance.worker.cases.errors import errors
from wove_http_dev.conformance.worker.cases.forgeries import forgeries
from wove_http_dev.conformance.worker.cases.frames import frames
from wove_http_dev.conformance.worker.cases.growth import growth
from wove_http_dev.conformance.worker.cases.ladders import ladders
from wove_http_dev.conformance.worker.cases.leaks import leaks
from wove_http_dev.conformance.worker.cases.limits import limits
from wove_http_dev.conformance.worker.cases.refusals import refusals
from wove_http_dev.conformance.worker.cases.rejections import rejections
from wove_http_dev.conformance.worker.cases.repeats import repeats
from wove_http_dev.conformance.worker.cases.replay import replay
from wove_http_dev.conformance.worker.cases.running import running
from wove_http_dev.conformance.worker.cases.survival import survival
from wove_http_dev.conformance.worker.cases.transport import transport

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
GATES: tuple[Case, ...] = tuple(case for case in WORKER_CASES if case.gate)
BUDGET = 180.0
"""Seconds after which no further case begins; a healthy service needs a tenth of them."""
LOSSES = 35.0
"""Seconds for cases that do not pass, so that a service that hangs is told within a minute."""
