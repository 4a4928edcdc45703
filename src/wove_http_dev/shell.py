"""Quotes text for the shell lines that are printed for a person to copy."""

from __future__ import annotations

import os
import shlex
import sys


def shell_word(text: str, encoding: str | None = None) -> str:
    """Return ``text`` as one word of a command line for a POSIX shell, in characters that
    ``encoding`` (by default that of stdout) has.

    A word with others, or with characters that a terminal does not show, is what a ``printf``
    writes: every shell has octal escapes there, and not all have ``$'…'`` (dash).
    """
    if text.isprintable() and _can_write(text, encoding or _encoding_of_stdout()):
        return shlex.quote(text)
    # The bytes of a file name, or of a value in the environment.
    content = "".join(_octal(byte) for byte in os.fsencode(text))
    return f"\"$(printf '{content}')\""


def _encoding_of_stdout() -> str:
    return getattr(sys.stdout, "encoding", None) or "ascii"


def _can_write(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _octal(byte: int) -> str:
    character = chr(byte)
    if character == "%":
        return "%%"
    return character if " " <= character <= "~" and character not in "\\'" else f"\\{byte:03o}"
