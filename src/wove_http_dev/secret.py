"""Secret values that ``repr`` does not show, and the search for secrets in a text."""

from __future__ import annotations

import dataclasses
import json
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

HIDDEN = "<secret>"
SEARCHED = 1000
"""Values in which :func:`secrets_in` looks for secrets."""
SHORT = 8
"""Characters of the shortest secret that is looked for inside words."""
CUT = 4
"""Characters of a cut secret that are not shown."""
_PRIVATE = re.compile(r"auth|cookie|token|secret|passw|credential|api-?key", re.IGNORECASE)
_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?[/\\]+", re.IGNORECASE)
_CUT_MARK = re.compile(r"(…|\.\.\.)")  # the second is reprlib's


class Secret(str):
    """A shared secret or token: an ordinary ``str`` whose ``repr`` does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


class SecretBytes(bytes):
    """A shared secret as ``bytes`` whose ``repr`` does not show it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


@lru_cache(maxsize=256)
def is_private(name: str) -> bool:
    """Whether ``name`` is that of a header or a configuration key whose value is secret."""
    return _PRIVATE.search(name) is not None


def hide(value: Any) -> Any:
    """Return a copy of ``value`` whose texts, also those in lists and tuples, do not show in
    ``repr``. Of the texts in a dict, only those of secret keys (:func:`is_private`) are hidden; a
    key that ends in ``_env`` holds the name of a variable, which is not a secret."""
    if isinstance(value, str):
        return Secret(value)
    if isinstance(value, bytes):
        return SecretBytes(value)
    if isinstance(value, (list, tuple)):
        return [hide(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _hide_entry(str(name), each) for name, each in value.items()}
    return value


def _hide_entry(name: str, value: Any) -> Any:
    secret = is_private(name) and not name.endswith("_env")
    return hide(value) if secret or not isinstance(value, (str, bytes)) else value


@lru_cache(maxsize=64)
def written_forms(secret: str) -> tuple[str, ...]:
    """Return ``secret`` as it can stand in a text: itself, and as ``repr``, JSON and a URL escape
    it. The longest is first, so that they can be replaced one after the other."""
    raw = secret.encode("utf-8", "surrogatepass")
    # A repr escapes a quote or not, depending on the text around it; with both kinds it does.
    forms = {
        str(secret),
        *(text[1:-1] for text in (str.__repr__(secret), ascii(str(secret)), json.dumps(secret))),
        str.__repr__(secret + "'\"")[1:-4],
        bytes.__repr__(raw)[2:-1],
        bytes.__repr__(raw + b"'\"")[2:-4],
        urllib.parse.quote(raw),
        urllib.parse.quote(raw, safe=""),
        urllib.parse.quote_plus(raw),
    }
    return tuple(sorted(forms, key=len, reverse=True))


def replace_secrets(text: str, secrets: Iterable[str], replacement: str = HIDDEN) -> str:
    """Return ``text`` with each of ``secrets``, in any of its written forms, replaced."""
    for secret in secrets:
        for form in written_forms(secret):
            text = text.replace(form, replacement)
    return text


def replace_whole_secrets(text: str, secrets: Iterable[str], replacement: str = HIDDEN) -> str:
    """Return ``text`` with each of ``secrets`` replaced, one of fewer than :data:`SHORT` characters
    only where no letter or digit stands beside it: it is a part of many words."""
    for secret in secrets:
        if len(secret) >= SHORT:
            text = replace_secrets(text, [secret], replacement)
            continue
        for form in written_forms(secret):
            whole = rf"(?<![^\W_]){re.escape(form)}(?![^\W_])"
            text = re.sub(whole, lambda _: replacement, text)
    return text


def replace_cut_secrets(text: str, secrets: Iterable[str], replacement: str = HIDDEN) -> str:
    """Return ``text`` with the beginning and the end of a secret, in any of its written forms,
    replaced where the text was cut: before and after ``…`` or ``...``. Of fewer than :data:`CUT`
    characters, nobody learns a secret."""
    forms = [form for secret in secrets for form in written_forms(secret)]
    parts = _CUT_MARK.split(text)
    for number in range(0, len(parts) - 2, 2):
        before, after = parts[number], parts[number + 2]
        longest = max((_beginning_at_end(before, form) for form in forms), default=0)
        if longest >= CUT:
            parts[number] = before[: len(before) - longest] + replacement
        longest = max((_beginning_at_end(form, after) for form in forms), default=0)
        if longest >= CUT:
            parts[number + 2] = replacement + after[longest:]
    return "".join(parts)


def _beginning_at_end(text: str, other: str) -> int:
    """Return how many characters of the beginning of ``other`` are the end of ``text``."""
    lengths = range(min(len(text), len(other)), 0, -1)
    return next((length for length in lengths if text.endswith(other[:length])), 0)


def secrets_in(value: object) -> list[str]:
    """Return the secrets in ``value`` as a list: ``value`` itself, or those in the fields of a
    dataclass and of the dataclasses in it, of at most :data:`SEARCHED` values. Never raises."""
    found: list[str] = []
    seen: dict[int, object] = {}  # the objects too: a deleted one's id may be used again
    waiting = [value]
    while waiting and len(seen) < SEARCHED:
        each = waiting.pop()
        if isinstance(each, SecretBytes):
            found += [each.decode("utf-8", "replace")] if each else []
        elif isinstance(each, Secret):
            found += [str(each)] if each else []
        elif id(each) not in seen:  # a child may refer to its parent
            seen[id(each)] = each
            waiting += _fields_of(each)
    return found


def _fields_of(value: object) -> list[object]:
    """Return the values of the fields of a dataclass, without those that cannot be read; an empty
    list for another value."""
    values: list[object] = []
    with suppress(Exception):  # a user's own class may have any property
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            for each in dataclasses.fields(value):
                with suppress(Exception):
                    values.append(getattr(value, each.name))
    return values


def shown_url(url: str) -> str:
    """Return ``url``, which may be misspelt, for a message: without user name, password, query and
    fragment."""
    match = _SCHEME.match(url)
    scheme, rest = (url[: match.end()], url[match.end() :]) if match else ("", url)
    # To the last @: a password that should be escaped may have /, @, ? and #.
    user, at, rest = rest.rpartition("@")
    if "?" in user or "#" in user:  # of a password, or of a query with an @: nobody knows
        return f"{scheme}…"
    shown = re.split("[?#]", rest, maxsplit=1)[0]
    return f"{scheme}…@{shown}" if at else f"{scheme}{shown}"
