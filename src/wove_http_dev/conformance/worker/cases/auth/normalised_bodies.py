"""Bodies that a service may take for the one that was signed, because it reads, cleans or rewrites
a body before it verifies the signature."""

from __future__ import annotations

import json
from collections.abc import Iterator

E_ACUTE, E_AND_ACUTE = "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"


def _white(body: bytes, text: bytes) -> bytes:
    """Return the JSON object ``body`` with ``text`` behind its first brace."""
    return body[:1] + text + body[1:]


def _named(body: bytes, text: str | bytes) -> bytes:
    """Return the frame ``body`` with ``text`` in its task_id."""
    data = text.encode() if isinstance(text, str) else text
    return body.replace(b'"task_id":"', b'"task_id":"' + data, 1)


def normalised(body: bytes) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield for each way of rewriting a body what the sent body is like, the body that is signed,
    and the one that is sent, which the rewriting makes the same. Both ask for what ``body`` asks
    for, if they are valid."""
    for what, covered, used in (
        ("CR LF in place of its line feed", b"\n", b"\r\n"),
        ("a line feed in place of its CR LF", b"\r\n", b"\n"),
        ("a CR in place of its line feed", b"\n", b"\r"),
        ("a zero byte in its middle", b"", b"\0"),
        ("a byte order mark in its middle", b"", b"\xef\xbb\xbf"),
        ("a zero-width space in its middle", b"", b"\xe2\x80\x8b"),
    ):
        yield what, _white(body, covered), _white(body, used)
    for what, text, sent in _TEXTS:
        yield what, _named(body, text), _named(body, sent)
    yield "white space at its end", body, body + b" \t\r\n"
    yield "its last line feed taken away", body + b"\n", body
    yield "its byte order mark taken away", b"\xef\xbb\xbf" + body, body
    yield "a zero byte at its beginning", body, b"\0" + body
    yield "a zero byte and more at its end", body, body + b"\0more"
    yield "its letters in lower case when it was signed", body.lower(), body
    yield "its letters in upper case when it was signed", body.upper(), body
    frame = json.loads(body)
    yield "another way of writing JSON", json.dumps(frame).encode(), body
    yield "another order of its fields", _sorted(frame), body


_TEXTS: tuple[tuple[str, str | bytes, str | bytes], ...] = (
    ("a byte in its middle that is not UTF-8", "", b"\xff"),
    ("a byte that is not UTF-8 in place of U+FFFD", "\N{REPLACEMENT CHARACTER}", b"\xff"),
    ("a letter that is not ASCII added", "", E_ACUTE),
    ("a letter that is not ASCII in place of '?'", "?", E_ACUTE),
    ("a letter in place of its escape", f"\\u{ord(E_ACUTE):04x}", E_ACUTE),
    ("two bytes in place of the two letters that they are in Latin-1", "\xc3\xa9", b"\xc3\xa9"),
    ("a letter in another Unicode form (NFD for NFC)", E_ACUTE, E_AND_ACUTE),
    ("a letter in another Unicode form (NFC for NFD)", E_AND_ACUTE, E_ACUTE),
    ("a letter in another Unicode form (NFKC)", "fi", "\N{LATIN SMALL LIGATURE FI}"),
    ("a letter percent-encoded", "A", "%41"),
    ("a plus in place of a space", " ", "+"),
    ("an escaped slash", "/", "\\/"),
)
"""Changes of a text in a frame: what they are, the text that is signed, and the one that is
sent."""


def _sorted(frame: object) -> bytes:
    return json.dumps(frame, sort_keys=True, separators=(",", ":")).encode()
