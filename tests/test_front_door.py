"""The names that ``import wove_http_dev`` offers."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import wove_http_dev
from wove_http_dev.faults.fault import STAGES

STUB = Path(wove_http_dev.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
NAMES: list[str] = vars(wove_http_dev)["__all__"]


@pytest.mark.parametrize("name", NAMES)
def test_name_is_there(name: str) -> None:
    """Every name of ``__all__`` can be imported."""
    assert hasattr(wove_http_dev, name)


def test_version() -> None:
    """``__version__`` is the version of the distribution."""
    assert wove_http_dev.__version__ == importlib.metadata.version("wove-http-dev")


def test_unknown_name() -> None:
    """A name that does not exist is an AttributeError."""
    with pytest.raises(AttributeError, match="no attribute 'HttpWorkr'"):
        getattr(wove_http_dev, "HttpWorkr")  # noqa: B009 (mypy knows that there is none)


def test_type_checkers_see_the_same_names() -> None:
    """Type checkers see the same imports, from the same modules, as at run time."""
    imports = {
        alias.name: str(node.module).removeprefix("wove_http_dev.")
        for node in ast.walk(ast.parse(STUB))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("wove_http_dev.")
        for alias in node.names
    }
    assert imports == vars(wove_http_dev)["_MODULES"]


def modules_after(code: str) -> list[str]:
    """The modules that a fresh process has imported after ``code``, in order."""
    program = f"{code}; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_import_is_light() -> None:
    """Importing the package imports none of its modules."""
    loaded = modules_after("import wove_http_dev")
    assert [name for name in loaded if name.startswith("wove_http_dev.")] == []


@pytest.fixture(scope="module")
def with_worker() -> list[str]:
    """What Wove imports, and then what the import of ``HttpWorker`` adds to it."""
    return modules_after(
        "import wove, wove.environment, wove.security, cloudpickle;"
        "import dataclasses, ipaddress, wove_http_dev;"  # Wove 2.0.0 imports neither of the first
        "from wove_http_dev import HttpWorker"
    )


def test_worker_imports_little_of_others(with_worker: list[str]) -> None:
    """Beside Wove and what it imports, ``HttpWorker`` needs nothing but the HTTP parser."""
    added = with_worker[with_worker.index("wove_http_dev") :]
    others = {name.split(".")[0] for name in added} - {"wove_http_dev", "cython_runtime"}
    assert {name for name in others if not name.startswith("_cython_")} == {"httptools"}


LATER = (
    *(f"faults.{stage}" for stage in STAGES),
    *("faults.catalogue", "faults.text", "runners.executor", "runners.processes"),
    *("runners.upstream", "isolated", "orders", "explain", "strict", "first_certificate"),
)


@pytest.mark.parametrize("name", LATER)
def test_worker_imports_it_later(with_worker: list[str], name: str) -> None:
    """``HttpWorker`` does not import what most workers never use, or use late."""
    assert f"wove_http_dev.{name}" not in with_worker


@pytest.mark.parametrize("name", ["asyncio", "email", "http.client", "urllib.request", "wove"])
def test_worker_needs_no_client(name: str) -> None:
    """Without Wove, ``HttpWorker`` imports none of what only clients and async tasks need."""
    assert name not in modules_after("from wove_http_dev import HttpWorker")
