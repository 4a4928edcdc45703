"""Modules import only from lower layers, and each has a test file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import wove_http_dev

PACKAGE = "wove_http_dev"
SOURCE = Path(wove_http_dev.__file__).parent
TESTS = Path(__file__).parent

# Lowest first. An entry is a module, or a package whose modules may import each other. It imports
# from entries in the rows above its own. A package that is split here is several entries.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("cut_text",),
    ("exception_text", "first_certificate", "hosts", "spelling", "start_child"),
    ("printable", "shell"),
    ("descriptors", "errors", "forks", "secret"),
    ("argument_checks", "platforms", "ca_bundle", "call_site", "given_secrets", "user_errors"),
    ("fields", "private_files", "option_urls"),
    ("option_checks",),
    ("options", "worker_options", "reports"),
    ("tls_contexts", "weave_outcome"),
    ("protocol", "tls", "conformance"),
    ("runs",),
    ("faults",),
    ("service",),
    ("runners",),
    ("isolated", "client"),
    ("client_side", "explain.report", "orders", "strict"),
    ("worker_side", "worker_arguments"),
    ("worker", "remote_worker"),
    ("assertions", "measurement", "schedule"),
    ("survival", "strategies"),
    ("explain",),
    ("inspector",),
    ("controlled",),
    ("conformance.executor", "pytest_plugin"),
    ("conformance.test_worker_cases",),
    ("cli",),
    ("conformance.test_executor_cases",),
    ("__main__",),
)
# Modules that export names of every layer; no module may import them.
FRONT_DOORS = ("",)

# Without a test file of their own: a conformance case is tested by running it against a worker or
# an executor with the defect that it looks for, ``__main__`` by every run of the command line.
UNTESTED = ("conformance.worker.cases", "conformance.executor.cases", "__main__")

ROWS = {entry: row for row, entries in enumerate(LAYERS) for entry in entries}


def module_name(path: Path) -> str:
    """``faults.run`` for the file ``faults/run.py``; ``faults`` for its ``__init__.py``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}
TESTED = [
    name
    for name, path in MODULES.items()
    if path.name != "__init__.py" and not name.startswith(UNTESTED)
]


def entry_of(module: str) -> str | None:
    """The entry of the table that contains ``module``, or ``None``."""
    parts = module.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in ROWS), None)


def imports_in(source: str, module: str) -> Iterator[str]:
    """Every module of this package that ``source``, the text of ``module``, imports anywhere."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = f"{PACKAGE}.{module}".rsplit(".", node.level)[0] if node.level else ""
            base = ".".join(filter(None, [above, node.module]))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, imported = name.partition(".")
            if package == PACKAGE:
                yield known_module(imported)


def known_module(imported: str) -> str:
    """The module that ``imported`` names, or to which the imported name belongs."""
    while imported and imported not in MODULES:
        imported = imported.rpartition(".")[0]
    return imported


def wrong_imports(source: str, module: str) -> list[str]:
    """The forbidden imports of ``module``, each with the reason."""
    entry = entry_of(module)
    wrong = []
    for imported in imports_in(source, module):
        other = entry_of(imported)
        if other is None:
            wrong.append(f"{imported or PACKAGE}: a front door, or not in LAYERS")
        elif entry is not None and other != entry and ROWS[other] >= ROWS[entry]:
            wrong.append(f"{imported}: not below {entry}")
    return wrong


def test_module_has_a_row() -> None:
    """Every module belongs to an entry of the table."""
    new = [name for name in MODULES if name not in FRONT_DOORS and not entry_of(name)]
    assert new == [], f"add them to LAYERS in {__file__}"


def test_imports_go_down() -> None:
    """A module imports from lower layers only, inside its functions too."""
    found = {
        module: wrong_imports(path.read_text(encoding="utf-8"), module)
        for module, path in MODULES.items()
        if module not in FRONT_DOORS
    }
    assert {module: wrong for module, wrong in found.items() if wrong} == {}


def test_entry_has_a_module() -> None:
    """Every entry of the table has a module."""
    assert ROWS.keys() - {entry_of(module) for module in MODULES} == set()


def test_worker_cases_import_nothing_else() -> None:
    """The cases for a worker service import only each other and the parts of a check."""
    cases = [name for name in MODULES if name.startswith("conformance.worker")]
    imported = {
        name
        for case in cases
        for name in imports_in(MODULES[case].read_text(encoding="utf-8"), case)
    }
    others = {name for name in imported if not name.startswith("conformance.worker")}
    assert cases
    assert others == {"conformance.case"}


def test_only_the_plugin_needs_pytest() -> None:
    """Outside the plugin pytest is imported only by what a test calls, or is."""
    needing = {
        module
        for module, path in MODULES.items()
        if re.search(r"^ *(import|from) _?pytest\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    others = {module for module in needing if not module.startswith("pytest_plugin.")}
    assert others - {"pytest_plugin"} == {
        "assertions",
        "conformance.test_executor_cases",
        "conformance.test_worker_cases",
    }


def place_of_tests(module: str) -> tuple[Path, Path]:
    """The file or folder with the tests of ``module``."""
    *folders, name = module.split(".")
    folder = TESTS.joinpath(*folders)
    return folder / f"test_{name.removeprefix('test_')}.py", folder / name


def has_tests(module: str) -> bool:
    file, folder = place_of_tests(module)
    return file.is_file() or bool(list(folder.glob("test_*.py")))


def test_module_has_a_test_file() -> None:
    """``tests`` mirrors the package: ``runs/journal.py`` has ``tests/runs/test_journal.py``."""
    without = [place_of_tests(module)[0] for module in TESTED if not has_tests(module)]
    assert [str(file.relative_to(TESTS.parent)) for file in without] == []


class TestWrongImports:
    """``wrong_imports`` finds every kind of wrong import, and reports no correct one."""

    @pytest.mark.parametrize(
        "source",
        [
            "import wove_http_dev.worker",
            "from wove_http_dev import worker",
            "from wove_http_dev.worker import HttpWorker",
            "from ..worker import HttpWorker",
            "from .. import worker",
            "def f():\n    from wove_http_dev.worker import HttpWorker",
            "if TYPE_CHECKING:\n    import wove_http_dev.worker as w",
        ],
    )
    def test_import_upwards(self, source: str) -> None:
        """An import from a higher layer is found in every form."""
        assert wrong_imports(source, "runs.journal") == ["worker: not below runs"]

    @pytest.mark.parametrize(
        ("source", "module"),
        [
            ("from wove_http_dev.tls import CertificateAuthority", "options"),
            ("from wove_http_dev import HttpWorker", "cli"),
            ("import wove_http_dev", "cli"),
            ("from ..worker import HttpWorker", "faults.run"),
            ("from wove_http_dev.faults import FAULTS", "runs.journal"),
        ],
        ids=["sideways", "front-door", "package", "relative", "own-package"],
    )
    def test_other_wrong_import(self, source: str, module: str) -> None:
        """An import from the same layer or of the package itself is found."""
        assert len(wrong_imports(source, module)) == 1

    @pytest.mark.parametrize(
        ("source", "module"),
        [
            ("import json\nfrom wove import weave", "errors"),
            ("from wove_http_dev.protocol import frames", "runs.journal"),
            ("from wove_http_dev.faults.fault import Fault", "faults.run"),
            ("from . import fault", "faults.run"),
            ("from ..errors import UsageError", "faults.run"),
        ],
        ids=["others", "below", "same-package", "relative", "relative-below"],
    )
    def test_right_import(self, source: str, module: str) -> None:
        """An import from a lower layer, or inside a package, is not reported."""
        assert wrong_imports(source, module) == []
