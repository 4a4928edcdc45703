"""The list of all worker cases."""

from __future__ import annotations

import importlib
import pkgutil

from tests.conformance.numbering import gaps, repeated
from wove_http_dev.conformance.worker import cases
from wove_http_dev.conformance.worker.suite import FAMILIES, WORKER_CASES


def test_ids_are_unique() -> None:
    """No number and no name is given twice in a family."""
    assert repeated(WORKER_CASES) == []


def test_numbers_have_no_gaps() -> None:
    """So the next free number is the count of a family's cases plus one."""
    assert gaps(WORKER_CASES) == {}


def test_every_module_with_cases_is_in_the_running_order() -> None:
    """A module that the suite leaves out would be a case that never runs."""
    for module in pkgutil.walk_packages(cases.__path__, f"{cases.__name__}."):
        importlib.import_module(module.name)
    written = {case.title for family in FAMILIES for case in family.cases}
    assert written == {case.title for case in WORKER_CASES}


def test_every_folder_is_a_family() -> None:
    """A folder's name is what stands before the number."""
    folders = {module.name for module in pkgutil.iter_modules(cases.__path__)}
    assert folders == {family.name for family in FAMILIES}


def test_duplicated_runs_are_looked_for_early() -> None:
    """Where runs are mistaken for each other, every later case is misleading."""
    ids = [case.id for case in WORKER_CASES]
    assert ids.index("run.09") < ids.index("auth.01")
