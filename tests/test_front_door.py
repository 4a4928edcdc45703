"""The names that ``import wove_http_dev`` offers."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import wove_http_dev

SOURCE = Path(wove_http_dev.__file__).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", wove_http_dev.__all__)
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
        for node in ast.walk(ast.parse(SOURCE))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("wove_http_dev.")
        for alias in node.names
    }
    assert imports == wove_http_dev._MODULES


def test_import_is_light() -> None:
    """Importing the package imports none of its modules."""
    code = "import sys, wove_http_dev; print([m for m in sys.modules if 'wove_http_dev.' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
