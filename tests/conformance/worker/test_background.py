"""Steps that run beside a case."""

from __future__ import annotations

import threading

import pytest

from wove_http_dev.conformance.worker.background import Background
from wove_http_dev.conformance.worker.wire import NoAnswer


def test_the_error_of_a_background_step_is_raised_with_its_result() -> None:
    """An exception of a background step is raised by ``result``."""

    def step() -> None:
        raise ValueError("in the background")

    with pytest.raises(ValueError, match="in the background"):
        Background(step).result(5.0)


def test_a_background_step_that_takes_too_long_has_no_answer() -> None:
    """A background step that takes longer than the timeout raises ``NoAnswer``."""
    over = threading.Event()
    with pytest.raises(NoAnswer, match=r"within 0\.01 s"):
        Background(lambda: over.wait(5.0)).result(0.01)
    over.set()
