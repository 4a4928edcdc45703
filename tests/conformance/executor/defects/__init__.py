"""Executors with one planted defect each, by what they are wrong in."""

from __future__ import annotations

from tests.conformance.executor.defects import (
    answers,
    cancels,
    commands,
    credentials,
    errors,
    leaks,
    lifetime,
    verification,
)

DEFECTS = (
    *commands.DEFECTS,
    *answers.DEFECTS,
    *cancels.DEFECTS,
    *errors.DEFECTS,
    *credentials.DEFECTS,
    *leaks.DEFECTS,
    *verification.DEFECTS,
    *lifetime.DEFECTS,
)
