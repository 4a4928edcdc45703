"""A check of all cases in parts, so that several processes can share it and no test takes long."""

from __future__ import annotations

from collections.abc import Sequence

from wove_http_dev.conformance.case import Case

JOBS = 4
"""How many cases of a part run at a time where the subject has no defect, as by default."""


def parts(cases: Sequence[Case], count: int) -> list[list[str]]:
    """Distribute the ids of ``cases`` over ``count`` lists of similar length."""
    return [[case.id for case in cases[first::count]] for first in range(count)]
