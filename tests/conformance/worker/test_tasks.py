"""The task functions of the worker cases: a worker can run each without this package."""

from __future__ import annotations

import pickle
import pickletools
import types

from wove_http_dev.conformance.worker import pickles, tasks, unusual_tasks

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
        for _, text, _ in pickletools.genops(pickles.pickled(function))
        if isinstance(text, str) and "wove_http_dev" in text
    }
    assert named == set()


def test_pickle_holds_the_function() -> None:
    """The loaded copy has the function's name."""
    names = {
        function.__name__: pickle.loads(pickles.pickled(function)).__name__
        for function in FUNCTIONS.values()
    }
    assert [name for name, copied in names.items() if copied != name] == []


def test_copy_works() -> None:
    """The loaded copy returns the same value as the function."""
    assert pickle.loads(pickles.pickled(tasks.echo))(value=5) == 5
