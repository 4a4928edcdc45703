"""The line of a finding."""

from __future__ import annotations

from wove_http_dev.explain.findings import LONGEST, Finding


def test_line() -> None:
    """It begins with the verdict, then the check, then the text."""
    assert Finding("ok", "url", "fine").line().split() == ["ok", "url", "fine"]


def test_hostile_text() -> None:
    """A text from outside can neither begin a line of its own nor steer the terminal."""
    assert Finding("problem", "no-op", "a\n\x1b[2Jb").line().endswith("a\\n\\x1b[2Jb")


def test_long_text() -> None:
    """A text from outside is cut."""
    assert len(Finding("problem", "no-op", "x" * 10_000).line()) < LONGEST + 40
