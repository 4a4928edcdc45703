"""The list of all worker cases."""

from __future__ import annotations

import importlib
import pkgutil

from tests.conformance.numbering import gaps, repeated
from wove_http_dev.conformance.worker import cases
from wove_http_dev.conformance.worker.suite import FAMILIES, WORKER_CASES


def test_ids_are_unique() -> None:
    """No number and no name is used twice in a family."""
    assert repeated(WORKER_CASES) == []


def test_numbers_have_no_gaps() -> None:
    """The numbers of a family have no gaps, so the next free number is the number of cases plus
    one."""
    assert gaps(WORKER_CASES) == {}


def test_every_module_with_cases_is_in_the_running_order() -> None:
    """Every module with cases is in the running order; otherwise its cases would never run."""
    for module in pkgutil.walk_packages(cases.__path__, f"{cases.__name__}."):
        importlib.import_module(module.name)
    written = {case.title for family in FAMILIES for case in family.cases}
    assert written == {case.title for case in WORKER_CASES}


def test_every_folder_is_a_family() -> None:
    """The name of each folder is the name of its family."""
    folders = {module.name for module in pkgutil.iter_modules(cases.__path__)}
    assert folders == {family.name for family in FAMILIES}


def test_duplicated_runs_are_looked_for_early() -> None:
    """run.09 runs early, because the results of later cases are misleading if it fails."""
    ids = [case.id for case in WORKER_CASES]
    assert ids.index("run.09") < ids.index("auth.01")
