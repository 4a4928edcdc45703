"""The pickles of the worker cases: of task functions, by value, and of other objects."""

from __future__ import annotations

import pickle

from wove_http_dev.conformance.worker import pickles, tasks


def test_copy_has_no_globals() -> None:
    """The copy has no globals but the built-ins, because a task imports what it uses."""
    assert set(pickles.by_value(tasks.echo).__globals__) == {"__name__", "__builtins__"}


def test_other_values_are_pickled_as_they_are() -> None:
    """A value that is not a task function is pickled by cloudpickle without changes."""
    assert pickle.loads(pickles.pickled({"x": (1, 2)})) == {"x": (1, 2)}


def test_name_in() -> None:
    """The name of a task function is found in its pickle without loading it."""
    assert pickles.name_in(pickles.pickled(tasks.echo)) == "echo"


def test_name_in_junk() -> None:
    """For bytes that are not the pickle of a task function the name is empty."""
    assert pickles.name_in(b"junk") == ""
