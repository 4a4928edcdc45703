"""Checks of a table of remedies, for both kinds of checks."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from wove_http_dev.conformance.case import Case, Remedy

ROOT = Path(__file__).resolve().parents[2]


def functions_in(path: Path) -> set[str]:
    """Return the functions of a file, as ``name()`` or ``Class.name()``."""
    return {f"{name}()" for name in _names(ast.parse(path.read_text(encoding="utf-8")).body, "")}


def _names(body: Sequence[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield from _names(node.body, f"{prefix}{node.name}.")


def missing_examples(remedies: Sequence[tuple[str, Remedy]]) -> list[str]:
    """Return the examples that name no function of a file of this repository."""
    missing = []
    for _, remedy in remedies:
        file, _, function = remedy.example.partition(": ")
        if not (ROOT / file).is_file() or function not in functions_in(ROOT / file):
            missing.append(remedy.example)
    return missing


def unused_globs(cases: Sequence[Case], remedies: Sequence[tuple[str, Remedy]]) -> list[str]:
    """Return the globs that match no case."""
    globs = [glob for words, _ in remedies for glob in words.split()]
    return [glob for glob in globs if not any(case.matches(glob) for case in cases)]
