"""The worker cases import nothing else of the package, nor Wove, so they cannot share a bug with
them."""

from __future__ import annotations

import ast
import importlib
import pickletools
from pathlib import Path

import pytest

from wove_http_dev.conformance.worker import tasks

FOLDER = Path(tasks.__file__).parent
ALLOWED = ("wove_http_dev.conformance.case", "wove_http_dev.conformance.worker", "cloudpickle")
FILES = sorted(FOLDER.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Return the names of all modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(FOLDER).as_posix())
def test_a_module_of_the_worker_cases_is_independent(path: Path) -> None:
    """A module of the worker cases imports only ``conformance.case`` and other modules of the
    folder."""
    found = {name for name in imported(path) if name.startswith(("wove", "cloudpickle"))}
    assert {name for name in found if not name.startswith(ALLOWED)} == set()


def test_the_module_that_both_checks_share_is_independent() -> None:
    """``conformance.case`` imports nothing of the package or of Wove."""
    case = importlib.import_module("wove_http_dev.conformance.case")
    assert not any(name.startswith("wove") for name in imported(Path(str(case.__file__))))


def test_a_task_is_sent_by_value() -> None:
    """The pickle of a task names no module of this package, so the worker does not need the
    package."""
    named = [
        argument
        for function in (tasks.hold, tasks.hold_async, tasks.arguments_received, tasks.fail)
        for _, argument, _ in pickletools.genops(tasks.pickled(function))
        if argument in (tasks.__name__, "wove_http_dev")
    ]
    assert named == []
