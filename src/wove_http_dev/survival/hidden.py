"""Finds the ``except BaseException``, or the like, with which an application hides an exception
that must end it."""

from __future__ import annotations

import ast
import builtins
import contextlib
import linecache
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any, TypeAlias

from wove_http_dev.exception_text import shown_path

_Statement: TypeAlias = "ast.Try | ast.With | ast.AsyncWith"
_WORDS: dict[type[ast.AST], str] = {
    ast.ExceptHandler: "except BaseException",
    ast.Call: "suppress BaseException",
    ast.Return: "return in finally",
}


def hiding_handler(
    code: CodeType, namespace: Mapping[str, Any], line: int, error: BaseException
) -> str | None:
    """Return the handler in ``code`` that caught ``error``, which was raised at ``line``, as
    "`except BaseException` at app.py:12", if it catches everything and raises nothing; ``None`` for
    another one, and if the source does not show it. ``namespace`` has the global variables of
    ``code``."""
    found = _handler(code, namespace, line, error)
    if found is None:
        return None
    node, named, line_of = found
    raises = any(isinstance(each, ast.Raise) for each in ast.walk(node))
    if BaseException not in named or (raises and not isinstance(node, ast.Call)):
        return None
    return f"`{_WORDS[type(node)]}` at {shown_path(code.co_filename)}:{line_of}"


def handles_alike(
    code: CodeType, namespace: Mapping[str, Any], line: int, error: BaseException
) -> bool:
    """Whether the handler that caught ``error`` takes every ``Exception`` too: what it does has
    nothing to do with the kind of ``error``. The arguments are those of :func:`hiding_handler`."""
    found = _handler(code, namespace, line, error)
    return found is not None and any(issubclass(Exception, kind) for kind in found[1])


def _handler(
    code: CodeType, namespace: Mapping[str, Any], line: int, error: BaseException
) -> tuple[ast.AST, tuple[type, ...], int] | None:
    """Return what caught ``error``, the classes that it names, and its line; ``None`` if that
    cannot be told."""
    try:
        lines = linecache.getlines(code.co_filename)
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError, RecursionError):
        return None
    for statement in _around(tree, code, line):
        for node, named, line_of in _handlers(statement, namespace):
            if named is None:
                return None
            if isinstance(error, named):
                return node, named, line_of
    return None


def _handlers(
    statement: _Statement, namespace: Mapping[str, Any]
) -> Iterator[tuple[ast.AST, tuple[type, ...] | None, int]]:
    """Yield what may catch an exception in the body of ``statement``, with the classes that it
    names (``None`` if they are not known) and its line."""
    if isinstance(statement, ast.Try):
        for handler in statement.handlers:
            yield handler, _caught(handler.type, namespace), handler.lineno
        for last in statement.finalbody:
            if isinstance(last, ast.Return):
                yield last, (BaseException,), last.lineno
        return
    for item in reversed(statement.items):
        call = item.context_expr
        if isinstance(call, ast.Call) and _value(call.func, namespace) is contextlib.suppress:
            kinds = _caught(ast.Tuple(call.args), namespace)
            yield call, kinds, statement.lineno


def _around(tree: ast.Module, code: CodeType, line: int) -> Iterator[_Statement]:
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


def _caught(node: ast.expr | None, namespace: Mapping[str, Any]) -> tuple[type, ...] | None:
    """Return the classes that ``except`` names; ``None`` if they are not known."""
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
