"""Suggestions for a misspelt word."""

from __future__ import annotations

from typing import Any

import pytest

from wove_http_dev.spelling import did_you_mean, nearest


def test_nearest() -> None:
    """The nearest word is suggested."""
    assert nearest("dely", ["count", "delay"]) == "delay"


def test_nothing_near() -> None:
    """Without a near word the suggestion is None."""
    assert nearest("zzz", ["count", "delay"]) is None


def test_names_that_are_no_strings() -> None:
    """A user's dict may have other keys: they are listed, and are like nothing."""
    known: list[Any] = [7, "delay"]
    assert (did_you_mean("dely", known), did_you_mean("zzz", known)) == (
        "did you mean 'delay'?",
        "there are 7, delay",
    )


@pytest.mark.parametrize(
    ("word", "otherwise", "advice"),
    [
        ("dely", "", "did you mean 'delay'?"),
        ("zzz", "", "there are count, delay"),
        ("zzz", "see the README", "see the README"),
    ],
)
def test_did_you_mean(word: str, otherwise: str, advice: str) -> None:
    """The suggestion is the nearest word, or else a list of all words or where to find it."""
    assert did_you_mean(word, ["count", "delay"], otherwise) == advice
