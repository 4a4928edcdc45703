"""Loads what cloudpickle sent by value, and gives its code the name of its source file again.

cloudpickle replaces the file name of code that it sends by value with ``<dynamic-code>`` (since
3.1.3), but sends the ``__file__`` of the module that the code is from. With the file's name in the
code, tracebacks show source lines, and coverage and log records name the file.
"""

from __future__ import annotations

import io
import linecache
import pickle
from types import CodeType, FunctionType
from typing import Any

from cloudpickle import cloudpickle

_PLACEHOLDER = "<dynamic-code>"
_make_function = cloudpickle._make_function


def load_with_sources(payload: bytes) -> Any:
    """Return the object in ``payload``. **Runs code that the sender chose**, as
    :func:`~wove_http_dev.protocol.frames.loads` does.

    Functions and methods that cloudpickle sent by value get the name of their source file if the
    file exists here and has a definition of that name at that line.
    """
    if _PLACEHOLDER.encode() not in payload:
        return pickle.loads(payload)
    return _Unpickler(io.BytesIO(payload)).load()


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name == "_make_function" and module == cloudpickle.__name__:
            return _make_function_of_file
        return super().find_class(module, name)


def _make_function_of_file(
    code: CodeType, module_globals: dict[str, Any], *others: Any
) -> FunctionType:
    file = module_globals.get("__file__")
    if code.co_filename == _PLACEHOLDER and isinstance(file, str) and _defines(file, code):
        code = _in_file(code, file)
    function: FunctionType = _make_function(code, module_globals, *others)
    return function


def _defines(file: str, code: CodeType) -> bool:
    """Whether ``file`` has the definition of ``code`` at the line that ``code`` says. It has not if
    ``exec`` made the code, as in ``dataclass``, or if the file here is of another version."""
    # The first line of a decorated function is that of its first decorator.
    line = linecache.getline(file, code.co_firstlineno).strip()
    if code.co_name == "<lambda>":
        return "lambda" in line
    return line.startswith("@") or f"def {code.co_name}" in line


def _in_file(code: CodeType, file: str) -> CodeType:
    constants = tuple(
        _in_file(each, file) if isinstance(each, CodeType) else each for each in code.co_consts
    )
    return code.replace(co_filename=file, co_consts=constants)
