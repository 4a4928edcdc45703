"""Cutting of long texts."""

from __future__ import annotations

import pytest

from wove_http_dev.cut_text import cut_end, cut_middle


@pytest.mark.parametrize(("text", "limit", "shown"), [("abc", 3, "abc"), ("abcd", 3, "ab…")])
def test_cut_end(text: str, limit: int, shown: str) -> None:
    """A text that is cut has the limit's length."""
    assert cut_end(text, limit) == shown


def test_short_enough() -> None:
    """A text of exactly the limit is unchanged."""
    assert cut_middle("abcdef", 6) == "abcdef"


def test_beginning_and_end() -> None:
    """Beginning and end are kept, and the text says how much is left out."""
    text = "a" * 5000 + "b" * 5000
    assert cut_middle(text, 4) == "aa\n[… 9,996 characters left out …]\nbb"


def test_length_without_the_middle() -> None:
    """The result has the limit's length and that of the note."""
    assert len(cut_middle("x" * 10**6, 1000)) < 1000 + 60
