"""The task functions of the worker cases, and how they are pickled by value."""

from __future__ import annotations

import pickle
import pickletools
import types

from wove_http_dev.conformance.worker import tasks, unusual_tasks

FUNCTIONS = {
    name: value
    for module in (tasks, unusual_tasks)
    for name, value in vars(module).items()
    if isinstance(value, types.FunctionType) and value.__module__ == module.__name__
}


def test_pickle_names_no_module_of_the_package() -> None:
    """A worker loads the pickle of a function without this package."""
    named = {
        (name, text)
        for name, function in FUNCTIONS.items()
        for _, text, _ in pickletools.genops(tasks.pickled(function))
        if isinstance(text, str) and "wove_http_dev" in text
    }
    assert named == set()


def test_pickle_holds_the_function() -> None:
    """The loaded copy has the function's name."""
    names = {
        function.__name__: pickle.loads(tasks.pickled(function)).__name__
        for function in FUNCTIONS.values()
    }
    assert [name for name, copied in names.items() if copied != name] == []


def test_copy_works() -> None:
    """The loaded copy returns the same value as the function."""
    assert pickle.loads(tasks.pickled(tasks.echo))(value=5) == 5


def test_copy_has_no_globals() -> None:
    """The copy has no globals but the built-ins, because a task imports what it uses."""
    assert set(tasks.by_value(tasks.echo).__globals__) == {"__name__", "__builtins__"}


def test_other_values_are_pickled_as_they_are() -> None:
    """A value that is not a task function is pickled by cloudpickle without changes."""
    assert pickle.loads(tasks.pickled({"x": (1, 2)})) == {"x": (1, 2)}


def test_name_in() -> None:
    """The name of a task function is found in its pickle without loading it."""
    assert tasks.name_in(tasks.pickled(tasks.echo)) == "echo"


def test_name_in_junk() -> None:
    """For bytes that are not the pickle of a task function the name is empty."""
    assert tasks.name_in(b"junk") == ""
