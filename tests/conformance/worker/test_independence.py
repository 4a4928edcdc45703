"""The worker cases import nothing else of the package, nor Wove, so they cannot share a bug with
them."""

from __future__ import annotations

import ast
import importlib
import pickletools
from pathlib import Path

from wove_http_dev.conformance.worker import pickles, tasks

FOLDER = Path(tasks.__file__).parent
ALLOWED = ("wove_http_dev.conformance.case", "wove_http_dev.conformance.worker", "cloudpickle")


def imported(path: Path) -> set[str]:
    """Return the names of all modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_modules_of_the_worker_cases_are_independent() -> None:
    """The modules of the worker cases import only ``conformance.case`` and each other."""
    files = list(FOLDER.rglob("*.py"))
    found = {
        (path.relative_to(FOLDER).as_posix(), name)
        for path in files
        for name in imported(path)
        if name.startswith("wove") and not name.startswith(ALLOWED)
    }
    assert (found, len(files) > 50) == (set(), True)


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
        for _, argument, _ in pickletools.genops(pickles.pickled(function))
        if argument in (tasks.__name__, "wove_http_dev")
    ]
    assert named == []
