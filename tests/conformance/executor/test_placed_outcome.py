"""The place of an error in the text of an outcome."""

from __future__ import annotations

from wove_http_dev.conformance.executor.placed_outcome import PlacedOutcome, placed
from wove_http_dev.weave_outcome import WeaveOutcome


def test_the_text_of_an_error_ends_with_its_place() -> None:
    try:
        raise KeyError("uri")
    except KeyError as exc:
        outcome = placed(WeaveOutcome("error", error=exc, seconds=2.0))
    assert str(outcome).startswith("KeyError: 'uri' (")
    assert "test_placed_outcome.py, line 11)" in str(outcome)


def test_an_error_that_was_raised_elsewhere_has_no_place() -> None:
    assert str(PlacedOutcome("error", error=KeyError("uri"))) == "KeyError: 'uri'"


def test_a_result_has_no_place() -> None:
    assert str(placed(WeaveOutcome("result", 3))) == "the result 3"
