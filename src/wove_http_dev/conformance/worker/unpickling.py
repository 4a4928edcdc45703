"""Loads pickles that a service sent without running their code.

A pickle is a program. This loader builds plain values, three harmless types and built-in
exceptions, and refuses every other name. It is the pure Python unpickler, because the C one
allocates memory for any memo index that the bytes name.
"""

from __future__ import annotations

import base64
import binascii
import builtins
import io
import pickle
import reprlib
from typing import Any, NoReturn

EXCEPTIONS = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)
_HARMLESS = {"set": set, "frozenset": frozenset, "complex": complex}


LIMIT = 2 * 2**20
"""Bytes of a pickle that are loaded unless a case expects more: each byte may be an instruction."""


class Refused(Exception):
    """The pickle asks for a name that this loader does not build; the message names it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the pickle asks for {what}")


class Unloadable(Exception):
    """The bytes do not load as a pickle; Wove's executor would fail on them too."""


class _Loader(pickle._Unpickler):  # the Python one, see above
    def find_class(self, module: str, name: str) -> Any:
        if module in ("builtins", "__builtin__"):
            if name in _HARMLESS:
                return _HARMLESS[name]
            if name in EXCEPTIONS:
                return getattr(builtins, name)
        raise Refused(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise Refused("a persistent object")

    def get_extension(self, code: int) -> NoReturn:
        raise Refused(f"extension {code}")


def load(text: Any, limit: int = LIMIT) -> Any:
    """The object in a ``*_pickle`` field of at most ``limit`` bytes.

    Raises :class:`Refused` or :class:`Unloadable`.
    """
    if not isinstance(text, str):
        raise Unloadable(f"the field is a {type(text).__name__}, not base64 text")
    try:
        payload = base64.b64decode(text.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error) as exc:
        raise Unloadable(f"the field is not base64: {exc}") from exc
    if len(payload) > limit:
        raise Refused(f"{len(payload)} bytes to load, more than the {limit} that this case allows")
    try:
        return _Loader(io.BytesIO(payload)).load()
    except Refused:
        raise
    except Exception as exc:  # an exception's constructor, or the bytes themselves
        raise Unloadable(f"the pickle does not load: {type(exc).__name__}") from exc


def brief(value: Any) -> str:
    """A bounded ``repr``: nested lists that double at each level would fill the memory."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}{reprlib.repr(value.args)}"
    return reprlib.repr(value)
