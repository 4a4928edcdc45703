"""Words of printed shell lines."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from wove_http_dev.shell import shell_word

WORDS = [
    "/plain/path",
    "two words",
    "/home/jörg/報告",
    'it\'s 100%d \\n $HOME `x` "y" ü',
    "bell \a and \x1b[31m",
    "first\nsecond",
    os.fsdecode(b"no utf-8: \xff"),
]
SHELLS = [name for name in ("sh", "bash", "dash", "zsh") if shutil.which(name)]


def test_ordinary_word() -> None:
    """A word that needs no quotes has none."""
    assert shell_word("/plain/path", "utf-8") == "/plain/path"


def test_word_that_the_encoding_has() -> None:
    """What the terminal can show is shown as it is."""
    assert shell_word("/home/jörg", "utf-8") == "'/home/jörg'"


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "utf-8"])
@pytest.mark.parametrize("word", WORDS)
def test_encoding(word: str, encoding: str) -> None:
    """The word can be written in the encoding, and a terminal shows every character of it."""
    quoted = shell_word(word, encoding)
    assert quoted.encode(encoding).decode(encoding) == quoted
    assert quoted.isprintable()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("word", WORDS)
def test_shell_reads_the_word(word: str, shell: str) -> None:
    """Each shell reads the word as it was."""
    line = f"printf %s {shell_word(word, 'ascii')}"
    done = subprocess.run([shell, "-c", line], capture_output=True, timeout=60, check=True)
    assert os.fsdecode(done.stdout) == word


def test_encoding_of_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an encoding it is that of stdout."""
    assert shell_word("ü") == "'ü'"


def test_without_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a stdout gets ASCII."""
    monkeypatch.setattr("sys.stdout", None)
    assert shell_word("ü").isascii()
