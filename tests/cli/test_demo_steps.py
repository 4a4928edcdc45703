"""The code that ``demo`` shows fits the screen that it is shown on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from wove_http_dev.cli.demo import WIDTH
from wove_http_dev.cli.demo_steps import APPLICATION, STEPS

INDENTED = 4


@pytest.mark.parametrize("function", [APPLICATION, *(step for step, _, _ in STEPS)])
def test_code_fits(function: Callable[..., Any]) -> None:
    """No line of the function's source is longer than the screen is wide."""
    lines = inspect.getsource(function).splitlines()
    assert [line for line in lines if len(line) > WIDTH - INDENTED] == []


@pytest.mark.parametrize("heading", [heading for _, heading, _ in STEPS])
def test_heading_fits(heading: str) -> None:
    """A heading is one line."""
    assert len(heading) < WIDTH - INDENTED
