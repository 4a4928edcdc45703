"""Loads pickles that a service sent, without running code that they name.

A pickle can call any function that it names. This loader builds plain values, three harmless types
and built-in exceptions, and refuses every other name. It uses the unpickler in pure Python, because
the one in C reserves as much memory as an index in the bytes demands.
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
"""The most bytes that a pickle may have by default. Each byte may be an instruction, which takes
time."""


class Refused(Exception):
    """The pickle is too long, or needs a name that this loader does not build; the message says
    which."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the pickle needs {what}")


class Unloadable(Exception):
    """The bytes are not a pickle that can be loaded; Wove's executor would fail on them too."""


def _without_traceback(exc: BaseException, traceback: str) -> BaseException:
    """Build an exception that was pickled with its traceback, as ``ProcessPoolExecutor`` does."""
    return exc


class _Loader(pickle._Unpickler):  # the pure Python class, see the module docstring
    def find_class(self, module: str, name: str) -> Any:
        if module in ("builtins", "__builtin__"):
            if name in _HARMLESS:
                return _HARMLESS[name]
            if name in EXCEPTIONS:
                return getattr(builtins, name)
        if (module, name) == ("concurrent.futures.process", "_rebuild_exc"):
            return _without_traceback
        raise Refused(f"{module}.{name}, which the checker does not load")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise Refused("a persistent object")

    def get_extension(self, code: int) -> NoReturn:
        raise Refused(f"extension {code}")


def load(text: Any, limit: int = LIMIT) -> Any:
    """Return the object whose pickle is in ``text``, the value of a ``*_pickle`` field. The pickle
    may have at most ``limit`` bytes.

    Raises :class:`Refused` or :class:`Unloadable`.
    """
    if not isinstance(text, str):
        raise Unloadable(f"the field is a {type(text).__name__}, not base64 text")
    try:
        payload = base64.b64decode(text.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error) as exc:
        raise Unloadable(f"the field is not base64: {exc}") from exc
    if len(payload) > limit:
        raise Refused(f"{len(payload)} bytes, more than the {limit} that this case allows")
    try:
        return _Loader(io.BytesIO(payload)).load()
    except Refused:
        raise
    except Exception as exc:  # an exception's constructor, or the bytes themselves
        raise Unloadable(f"the pickle does not load: {type(exc).__name__}") from exc


def brief(value: Any) -> str:
    """Return a ``repr`` of limited length. The limit is needed because the full one could fill the
    memory, e.g. for nested lists that double at each level."""
    if isinstance(value, BaseException):
        return f"{type(value).__name__}{reprlib.repr(value.args)}"
    return reprlib.repr(value)
