"""Executors with one planted defect each, one module for each kind of defect."""

from __future__ import annotations

from tests.conformance.executor.defects import (
    addresses,
    answers,
    cancels,
    commands,
    credential_sources,
    credentials,
    deadlines,
    environment,
    errors,
    failed_cancels,
    http_answers,
    instances,
    json_answers,
    kept,
    leaks,
    lifetime,
    recognised,
    resends,
    verification,
    waste,
)

DEFECTS = (
    *addresses.DEFECTS,
    *commands.DEFECTS,
    *answers.DEFECTS,
    *http_answers.DEFECTS,
    *json_answers.DEFECTS,
    *instances.DEFECTS,
    *cancels.DEFECTS,
    *failed_cancels.DEFECTS,
    *errors.DEFECTS,
    *credentials.DEFECTS,
    *credential_sources.DEFECTS,
    *leaks.DEFECTS,
    *verification.DEFECTS,
    *waste.DEFECTS,
    *environment.DEFECTS,
    *lifetime.DEFECTS,
    *deadlines.DEFECTS,
    *kept.DEFECTS,
    *resends.DEFECTS,
    *recognised.DEFECTS,
)
