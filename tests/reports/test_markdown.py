"""Parts of a page of Markdown."""

from __future__ import annotations

import pytest

from wove_http_dev.reports import markdown
from wove_http_dev.reports.markdown import block, joined


def test_a_page_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page ends before the section with which it would be too long, and says so."""
    monkeypatch.setattr(markdown, "LIMIT", 10)
    page = joined(["first", "a longer one", "last"])
    assert page.startswith("first\n\nThe rest is left out")


def test_a_page_that_fits() -> None:
    assert joined(["one", "two"]) == "one\ntwo"


def test_no_line_ends_a_block() -> None:
    """A block is fenced by more backticks than any line of it has."""
    assert block("````\ntext", 100) == "`````text\n````\ntext\n`````"
