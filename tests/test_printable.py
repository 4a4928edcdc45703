"""``printable``: text from outside, escaped."""

from __future__ import annotations

import io
import sys

import pytest

from wove_http_dev.printable import print_traceback, printable, to_stderr


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        pytest.param("größe 報告 ✓", "größe 報告 ✓", id="printable"),
        pytest.param("a\nb\r\tc", r"a\nb\r\tc", id="line-breaks"),
        pytest.param("\x1b[2J\x07\x7f", r"\x1b[2J\x07\x7f", id="terminal-controls"),
        pytest.param("\x85\u2028\u2029", r"\x85\u2028\u2029", id="unicode-line-breaks"),
        pytest.param("\x9b2J", r"\x9b2J", id="c1-controls"),
        pytest.param("\u202egpj.exe\u2066", r"\u202egpj.exe\u2066", id="bidirectional"),
        pytest.param("a\u200bb\ufeff", r"a\u200bb\ufeff", id="invisible"),
        pytest.param("\ud800x", r"\ud800x", id="lone-surrogate"),
        pytest.param("\U000e0041", r"\U000e0041", id="tag"),
    ],
)
def test_printable(text: str, escaped: str) -> None:
    """What is not printable becomes a Python escape; everything else stays."""
    assert printable(text) == escaped


def test_keep() -> None:
    """Characters in ``keep`` stay."""
    assert printable("a\nb\tc", keep="\n") == "a\nb\\tc"


class Broken(io.StringIO):
    """A stream whose reader has ended."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


@pytest.mark.parametrize(
    "stream", [None, Broken(), io.StringIO()], ids=["none", "broken", "closed"]
)
def test_stderr_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO | None
) -> None:
    """What cannot be written to stderr is left out."""
    if type(stream) is io.StringIO:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    to_stderr("text")


def test_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """The message of an exception cannot write control characters or lone surrogates."""
    try:
        raise ValueError("\x1b[2J\ud800")
    except ValueError:
        print_traceback()
    assert capsys.readouterr().err.endswith("ValueError: \\x1b[2J\\ud800\n")
