"""Checks of numbers and of seconds that calls take as arguments."""

from __future__ import annotations

import math
from typing import Any

import pytest

from wove_http_dev.argument_checks import check_count, check_seconds
from wove_http_dev.errors import UsageError


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "1", None])
def test_what_is_no_count(value: Any) -> None:
    """The message says what is allowed, and what was given."""
    with pytest.raises(UsageError) as caught:
        check_count("times", value, "runs")
    assert str(caught.value) == f"times must be a number of runs, 1 or more, not {value!r}"


def test_least() -> None:
    """The least number is allowed."""
    check_count("times", 0, "runs", least=0)
    with pytest.raises(UsageError, match="0 or more"):
        check_count("times", -1, "runs", least=0)


@pytest.mark.parametrize("value", [-0.1, math.nan, True, "1", None])
def test_what_is_no_number_of_seconds(value: Any) -> None:
    """The message says what is allowed, and what was given."""
    with pytest.raises(UsageError) as caught:
        check_seconds("timeout", value)
    assert str(caught.value) == f"timeout must be a number of seconds, 0 or more, not {value!r}"


@pytest.mark.parametrize("value", [0, 0.5, 10**10, math.inf])
def test_seconds(value: float) -> None:
    """Any other number is allowed, infinity too."""
    check_seconds("timeout", value)
