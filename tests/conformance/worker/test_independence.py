"""The worker cases owe nothing to the package, nor to Wove: they cannot share its bugs."""

from __future__ import annotations

import ast
import importlib
import pickletools
from pathlib import Path

import pytest

from wove_http_dev.conformance.worker import tasks

ROOM = Path(tasks.__file__).parent
ALLOWED = ("wove_http_dev.conformance.case", "wove_http_dev.conformance.worker", "cloudpickle")
FILES = sorted(ROOM.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module that a file names in an import."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOM).as_posix())
def test_a_room_of_the_worker_cases_imports_nothing_of_ours(path: Path) -> None:
    """But the report room and its own neighbours."""
    ours = {name for name in imported(path) if name.startswith(("wove", "cloudpickle"))}
    assert {name for name in ours if not name.startswith(ALLOWED)} == set()


def test_the_report_room_imports_nothing_of_ours() -> None:
    """It is shared by both kinds of check."""
    report = importlib.import_module("wove_http_dev.conformance.case")
    assert not any(name.startswith("wove") for name in imported(Path(str(report.__file__))))


def test_a_task_is_sent_by_value() -> None:
    """No pickle of a task names a module of this package, so a worker need not have it."""
    named = [
        argument
        for function in (tasks.hold, tasks.hold_async, tasks.arguments_received, tasks.fail)
        for _, argument, _ in pickletools.genops(tasks.pickled(function))
        if argument in (tasks.__name__, "wove_http_dev")
    ]
    assert named == []
