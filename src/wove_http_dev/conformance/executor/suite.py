"""All cases for an executor, sorted by family and number."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from wove_http_dev.conformance.case import Case, Family, with_remedies
from wove_http_dev.conformance.executor.cases import (
    cancel,
    errors,
    frames,
    outcome,
    retries,
    routing,
    security,
    time,
)
from wove_http_dev.conformance.executor.remedies import REMEDIES

_FOLDERS = (frames, errors, security, routing, cancel, time, retries, outcome)


def _cases_of(folder: ModuleType) -> list[Case]:
    """Import every module in ``folder`` (the import defines its cases) and return the cases, sorted
    by number."""
    for module in pkgutil.iter_modules(folder.__path__):
        importlib.import_module(f"{folder.__name__}.{module.name}")
    family: Family = folder.family
    return sorted(family.cases, key=lambda case: case.number)


EXECUTOR_CASES: tuple[Case, ...] = with_remedies(
    (case for folder in _FOLDERS for case in _cases_of(folder)), REMEDIES
)
PREREQUISITES: tuple[Case, ...] = tuple(case for case in EXECUTOR_CASES if case.prerequisite)
BUDGET = 180.0
"""Seconds after which no further case starts. The check takes about this long for an executor that
swallows all errors, and a fifth of it for Wove's own executors, on a quiet machine."""
