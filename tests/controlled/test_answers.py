"""What a stub answers, as JSON."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from wove_http_dev.controlled.answers import CannotBeSentError, json_answer
from wove_http_dev.errors import UsageError


class OwnError(Exception):
    """An exception of an application."""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"result": None}, {"result": None}),
        ({"result": {"a": [1, 2.5, True, "x"]}}, {"result": {"a": [1, 2.5, True, "x"]}}),
        ({"error": ValueError("no")}, {"error": {"type": "ValueError", "message": "no"}}),
        ({"error": KeyError}, {"error": {"type": "KeyError"}}),
        (
            {"error": OwnError("no")},
            {"error": {"type": f"{__name__}.OwnError", "message": "no"}},
        ),
    ],
    ids=["null", "json", "error", "class", "own-error"],
)
def test_sent(given: dict[str, Any], words: dict[str, Any]) -> None:
    """An answer that is JSON, or an exception of one text, is sent."""
    assert json_answer(**given).words == words


@pytest.mark.parametrize(
    "given",
    [
        {"result": (1, 2)},
        {"result": {1: 2}},
        {"result": {"a": (1,)}},
        {"result": float("nan")},
        {"result": b"x"},
        {"result": [1, 2]},
        {"result": print},
        {"error": [ValueError("a")]},
        {"error": OSError(2, "no")},
        {"error": subprocess.CalledProcessError(1, "a")},
        {"events": []},
    ],
    ids=str,
)
def test_not_sent(given: dict[str, Any]) -> None:
    """An answer that would arrive as something else is not sent."""
    with pytest.raises(CannotBeSentError):
        json_answer(**given)


def test_no_answer() -> None:
    """A stub without an answer is the error that it is with any worker."""
    with pytest.raises(UsageError, match="exactly one of"):
        json_answer()
