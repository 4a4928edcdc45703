"""Every planted defect is flagged by its case, in words that name it; an executor without a defect
passes every case."""

from __future__ import annotations

import re

import pytest

from tests.conformance.careful_executor import CarefulExecutor
from tests.conformance.executor_checks import check, failed
from tests.conformance.flawed_executors import DEFECTS, Defect
from wove_http_dev.conformance.executor.subject import Subject


def _name(defect: Defect) -> str:
    return f"{defect.case}-{defect.executor.__name__}"


@pytest.mark.parametrize("defect", DEFECTS, ids=_name)
def test_a_planted_defect_is_flagged(defect: Defect) -> None:
    """The case that looks for it falls short and names it."""
    results = check(Subject(defect.executor.__name__, defect.executor), defect.case)
    said = failed(results).get(defect.case, "nothing")
    assert re.search(defect.says, said, re.DOTALL), (said, failed(results))


def test_an_executor_without_a_defect_passes() -> None:
    """No case fails whatever an executor does."""
    assert failed(check(Subject("careful", CarefulExecutor))) == {}
