"""The calls of ``w.do``, ``merge`` and ``weave`` in an application's source, read without running
it: which environments its tasks name, and with which options."""

from __future__ import annotations

import ast
import os
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

MOST_FILES = 2000
"""Files of a package that are read."""
_FUNCTIONS = ("do", "merge", "weave")
_INSTALLED = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib", "platlib")
)


class Unknown:
    """The value of an option that is not a constant in the source."""


@dataclass(frozen=True)
class TaskCall:
    """One call of ``w.do``, ``merge`` or ``weave``."""

    where: str
    """File and line, ``app/reports.py:12``."""
    function: str
    """``do``, ``merge`` or ``weave``."""
    options: Mapping[str, Any]
    """The keyword arguments; :class:`Unknown` for one that is not a constant."""

    @property
    def environment(self) -> str | None:
        """The environment that the call names; ``None`` if it names none, or not as a constant."""
        name = self.options.get("environment")
        return name if isinstance(name, str) else None

    @property
    def is_task(self) -> bool:
        """Whether the call is that of a task, not of a weave."""
        return self.function != "weave"


def application_files(module: ModuleType, imported: Iterable[ModuleType]) -> list[Path]:
    """Return the source files of the application: those of the package of ``module``, and those of
    ``imported`` that are not of an installed package."""
    own = _source(module)
    found = [] if own is None else [own]
    depth = module.__name__.count(".") + hasattr(module, "__path__")
    if own is not None and depth:
        found += islice(sorted(own.parents[depth - 1].rglob("*.py")), MOST_FILES)
    others = (path for each in imported if (path := _source(each)) is not None)
    return list(dict.fromkeys([*found, *(path for path in others if not _is_installed(path))]))


def _source(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if isinstance(file, str) and file.endswith(".py") else None


def _is_installed(path: Path) -> bool:
    return any(path.is_relative_to(directory) for directory in _INSTALLED)


def task_calls(files: Iterable[Path]) -> list[TaskCall]:
    """Return the calls in ``files``. A file that cannot be read or parsed, or does not import Wove,
    has none."""
    return [call for path in files for call in _calls_in(path)]


def _calls_in(path: Path) -> Iterator[TaskCall]:
    try:
        source = path.read_bytes()
        if b"wove" not in source:
            return
        tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return
    where = os.path.relpath(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in _FUNCTIONS:
            options = {word.arg: _value(word.value) for word in node.keywords if word.arg}
            yield TaskCall(f"{where}:{node.lineno}", _name(node.func), options)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _value(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else Unknown()
