"""Functions that cloudpickle sent by value have the name of their source file again."""

from __future__ import annotations

import importlib.util
import pickle
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import pytest

from wove_http_dev.protocol.dynamic_code import load_with_sources

SOURCE = """
import dataclasses

def plain():
    return 1 / 0

def decorate(function):
    return function

@decorate
def decorated():
    return 1 / 0

anonymous = lambda: 1 / 0

def outer():
    def inner():
        return 1 / 0
    return inner()

class Shape:
    def area(self):
        return 1 / 0

def area():
    return Shape().area()

@dataclasses.dataclass
class Point:
    x: int
"""


@pytest.fixture
def module(tmp_path: Path) -> ModuleType:
    """A module that cloudpickle sends by value."""
    path = tmp_path / "sent_by_value.py"
    path.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("sent_by_value", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module  # not in sys.modules, so that nothing of it can be sent by name


def sent(value: Any) -> Any:
    """What the worker has after ``value`` was sent."""
    return load_with_sources(cloudpickle.dumps(value))


@pytest.mark.parametrize("name", ["plain", "decorated", "anonymous", "outer", "area"])
def test_traceback_shows_the_source_line(module: ModuleType, name: str) -> None:
    """The last call of the traceback names the file and shows the line that failed."""
    function = sent(getattr(module, name))
    with pytest.raises(ZeroDivisionError) as caught:
        function()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, "1 / 0" in (last.line or "")) == (module.__file__, True)


def test_generated_code_names_no_file(module: ModuleType) -> None:
    """A method that ``dataclass`` generated is in no file; its line number means nothing there."""
    point = sent(module.Point)
    assert point.__init__.__code__.co_filename != module.__file__


def test_missing_file_is_not_named(module: ModuleType, tmp_path: Path) -> None:
    """Where the client's file does not exist, the placeholder stays."""
    module.__file__ = str(tmp_path / "elsewhere.py")
    assert "elsewhere" not in sent(module.plain).__code__.co_filename


def test_other_values_are_loaded() -> None:
    """A pickle without code is loaded as ``pickle.loads`` loads it."""
    assert load_with_sources(pickle.dumps({"n": 1})) == {"n": 1}


def test_function_keeps_its_behaviour(module: ModuleType) -> None:
    """Defaults and closures are those of the function that was sent."""
    factor = 3

    def scale(value: int = 2) -> int:
        return value * factor

    assert sent(scale)() == 6


def test_dataclass_works(module: ModuleType) -> None:
    """A dataclass that was sent by value can be used."""
    assert sent(module.Point)(1).x == 1
