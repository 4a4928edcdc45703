"""The exception of a stub that the control API makes, from its name and message."""

from __future__ import annotations

import builtins
import importlib
import re

from wove_http_dev.errors import UsageError
from wove_http_dev.spelling import nearest
from wove_http_dev.user_errors import one_line_errors

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def exception_of(type: str, message: str = "") -> BaseException:
    """Return the exception ``type(message)``. ``type`` is the name of a built-in class, or
    ``module.Class``, whose module is imported. Raises :class:`UsageError` for anything else."""
    if _DOTTED.fullmatch(type):
        module, _, name = type.rpartition(".")
        with one_line_errors(f"error type {type}"):
            kind = getattr(importlib.import_module(module), name)
    else:
        kind = getattr(builtins, type, None)
    if not (isinstance(kind, builtins.type) and issubclass(kind, BaseException)):
        close = nearest(type, [name for name in dir(builtins) if name.endswith("Error")])
        advice = f"did you mean {close!r}?" if close else "name a built-in one, or module.Class"
        raise UsageError(f"{type!r} is no exception; {advice}")
    with one_line_errors(f"error type {type}"):
        return kind(message)
