"""Advice for a misspelt word: the known word that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the member of ``known`` that is spelled most like ``word``, if one is close. (A user's
    own dict may have keys that are no strings: those are like nothing.)"""
    import difflib  # most calls of a command need no advice

    names = [each for each in known if isinstance(each, str)]
    close = difflib.get_close_matches(word, names, n=1) if isinstance(word, str) else []
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return advice for the unknown ``word``: the closest of ``known``, else ``otherwise``, else a
    list of all of ``known``."""
    names = list(known)
    close = nearest(word, names)
    if close is not None:
        return f"did you mean {close!r}?"
    return otherwise or f"there are {', '.join(map(str, names))}"
