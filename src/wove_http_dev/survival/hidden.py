"""Finds the ``except BaseException``, or the like, with which an application hides an exception that
must end it."""

from __future__ import annotations

import ast
import builtins
import contextlib
import linecache
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

from wove_http_dev.exception_text import shown_path


def hiding_handler(
    code: CodeType, namespace: Mapping[str, Any], line: int, error: BaseException
) -> str | None:
    """Return the handler in ``code`` that caught ``error``, which was raised at ``line``, as
    "`except BaseException` at app.py:12", if it catches everything and raises nothing; ``None`` for
    another one, and where that cannot be told. ``namespace`` has the global variables of
    ``code``."""
    try:
        lines = linecache.getlines(code.co_filename)
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return None
    for statement in _around(tree, code, line):
        if isinstance(statement, (ast.With, ast.AsyncWith)):
            if BaseException in _suppressed(statement, namespace):
                return _at("suppress(BaseException)", code, statement.lineno)
            continue
        for handler in statement.handlers:
            caught = _caught(handler.type, namespace)
            if caught is None:
                return None
            if isinstance(error, caught):
                raises = any(isinstance(node, ast.Raise) for node in ast.walk(handler))
                hides = BaseException in caught and not raises
                return _at("except BaseException", code, handler.lineno) if hides else None
    return None


def _at(handler: str, code: CodeType, line: int) -> str:
    return f"`{handler}` at {shown_path(code.co_filename)}:{line}"


def _around(
    tree: ast.Module, code: CodeType, line: int
) -> Iterator[ast.Try | ast.With | ast.AsyncWith]:
    """Yield the ``try`` and ``with`` statements of the function ``code`` whose body has ``line``,
    the innermost first."""
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.name == code.co_name
        and code.co_firstlineno in (node.lineno, *(each.lineno for each in node.decorator_list))
    ]
    found = [
        node
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, (ast.Try, ast.With, ast.AsyncWith))
        and node.body[0].lineno <= line <= (node.body[-1].end_lineno or 0)
    ]
    yield from sorted(found, key=lambda node: -node.lineno)


def _suppressed(statement: ast.With | ast.AsyncWith, namespace: Mapping[str, Any]) -> list[Any]:
    """Return the classes that ``contextlib.suppress()`` in a ``with`` statement names."""
    return [
        _value(argument, namespace)
        for item in statement.items
        if isinstance(item.context_expr, ast.Call)
        and _value(item.context_expr.func, namespace) is contextlib.suppress
        for argument in item.context_expr.args
    ]


def _caught(node: ast.expr | None, namespace: Mapping[str, Any]) -> tuple[type, ...] | None:
    """Return the classes that ``except`` names; ``None`` if that cannot be told."""
    if node is None:
        return (BaseException,)
    if isinstance(node, ast.Tuple):
        members = [_caught(each, namespace) for each in node.elts]
        if None in members:
            return None
        return tuple(kind for member in members if member for kind in member)
    value = _value(node, namespace)
    kinds = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(kind, type) for kind in kinds):
        return None
    return kinds


def _value(node: ast.expr, namespace: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return namespace.get(node.id, getattr(builtins, node.id, None))
    if isinstance(node, ast.Attribute):
        return getattr(_value(node.value, namespace), node.attr, None)
    return None
