"""All cases for a worker service, in the order in which they run, and the time limits of a
check."""

from __future__ import annotations

import functools
from dataclasses import replace
from types import ModuleType

from wove_http_dev.conformance.case import Case, Family, with_remedies
from wove_http_dev.conformance.worker.cases.auth import (
    auth,
    credentials,
    late_replay,
    near_misses,
    refusals,
    replay,
    replay_at_once,
    schemes,
    secrecy,
    tampering,
    timestamps,
    verification_order,
    ways_in,
    web_pages,
)
from wove_http_dev.conformance.worker.cases.cancel import (
    acknowledgement,
    cancel,
    cancellation,
    unusual_moments,
)
from wove_http_dev.conformance.worker.cases.concurrency import (
    concurrency,
    own_answers,
    side_by_side,
)
from wove_http_dev.conformance.worker.cases.errors import (
    error_frames,
    errors,
    survives_bad_tasks,
    unusual_values,
)
from wove_http_dev.conformance.worker.cases.frames import (
    bad_frames,
    event_frames,
    every_answer,
    frames,
    ids,
    odd_frames,
)
from wove_http_dev.conformance.worker.cases.limits import (
    large_bodies,
    leaks,
    limits,
    requests,
    shared_process,
    verification_cost,
)
from wove_http_dev.conformance.worker.cases.run import duration, repeats, run, values
from wove_http_dev.conformance.worker.cases.transport import (
    connections,
    expect,
    framing,
    http_basics,
    lengths,
    request_forms,
    transport,
    unread_body,
)
from wove_http_dev.conformance.worker.context import CaseContext
from wove_http_dev.conformance.worker.remedies import REMEDIES

_ORDER: tuple[tuple[Family, ModuleType], ...] = (
    (transport, http_basics),
    (run, repeats),  # if the service confuses runs, the results of later cases are misleading
    (auth, credentials),
    (auth, tampering),
    (auth, schemes),
    (auth, ways_in),
    (auth, replay),
    (auth, replay_at_once),
    (auth, timestamps),
    (auth, refusals),
    (auth, near_misses),
    (auth, verification_order),
    (auth, web_pages),
    (frames, event_frames),
    (frames, ids),
    (frames, bad_frames),
    (frames, odd_frames),
    (transport, connections),
    (transport, request_forms),
    (transport, lengths),
    (transport, unread_body),
    (transport, expect),
    (run, values),
    (errors, error_frames),
    (errors, survives_bad_tasks),
    (errors, unusual_values),
    (run, duration),
    (cancel, cancellation),
    (cancel, acknowledgement),
    (cancel, unusual_moments),
    (concurrency, side_by_side),
    (concurrency, own_answers),
    (limits, requests),
    (limits, large_bodies),
    (limits, shared_process),
    (limits, verification_cost),
    (limits, leaks),
    (auth, late_replay),  # sends the first request of the check again
    (transport, framing),  # about the answers to all requests before
    (auth, secrecy),
    (frames, every_answer),
)


def _named(case: Case) -> Case:
    """Return ``case``, with a body that first tells the context which case it is."""

    @functools.wraps(case.body)
    def body(check: CaseContext) -> str | None:
        check.named(case.id)
        return case.body(check)

    return replace(case, body=body)


FAMILIES: tuple[Family, ...] = tuple(dict.fromkeys(family for family, _ in _ORDER))
WORKER_CASES: tuple[Case, ...] = with_remedies(
    (
        _named(case)
        for family, module in _ORDER
        for case in family.cases
        if case.body.__module__ == module.__name__
    ),
    REMEDIES,
)
PREREQUISITES: tuple[Case, ...] = tuple(case for case in WORKER_CASES if case.prerequisite)
BUDGET = 180.0
"""Seconds after which no further case starts; a healthy service needs a tenth of this."""
LOSSES = 25.0
"""Seconds that the cases that fail may take in total, without second runs, so that a check of a
service that hangs ends within a minute."""
