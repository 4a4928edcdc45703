"""Cuts long texts, so that what they are stored in, or shown in, has a limit."""

from __future__ import annotations


def cut_end(text: str, limit: int) -> str:
    """Return ``text``, or its beginning and ``…`` if it has more than ``limit`` characters: at most
    ``limit`` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def cut_middle(text: str, limit: int) -> str:
    """Return ``text``, or its beginning and its end if it has more than ``limit`` characters,
    with a note of how many are left out between them."""
    if len(text) <= limit:
        return text
    head = limit // 2
    note = f"\n[… {len(text) - limit:,} characters left out …]\n"
    return f"{text[:head]}{note}{text[head - limit :]}"
