"""Loads what a service sent, without letting it run anything here.

A pickle is a program. This loader knows three harmless constructors and a list of built-in
exceptions, and refuses every other name; it is the pure Python unpickler, because the C one
allocates memory for whatever memo index the bytes claim. Only cases that need a result use it.
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
"""Bytes of a pickle that are loaded unless a case expects more: each may be an instruction."""


class Refused(Exception):
    """The pickle asks for something that this loader does not build; the message says for what."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the pickle asks for {what}")


class Unloadable(Exception):
    """The bytes are no pickle that loads; Wove's executor would fail on them in the same way."""


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
        raise Refused(f"the work of {len(payload)} bytes, where {limit} are plenty")
    try:
        return _Loader(io.BytesIO(payload)).load()
    except Refused:
        raise
    except Exception as exc:  # an exception's constructor, or the bytes themselves
        raise Unloadable(f"the pickle does not load: {type(exc).__name__}") from exc


def brief(value: Any) -> str:
    """A bounded ``repr``: nesting that doubles at each level would fill the memory."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}{reprlib.repr(value.args)}"
    return reprlib.repr(value)
