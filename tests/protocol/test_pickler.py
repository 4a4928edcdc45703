"""What clients load is pickled so that they need no library of the worker's."""

from __future__ import annotations

import copyreg
import functools
import io
import pickle
import sys
import types
from typing import Any

import pytest

from wove_http_dev.protocol.frames import dumps
from wove_http_dev.protocol.pickler import Pickler


class OwnError(Exception):
    """An exception of a user's own."""


def rebuilt(*args: Any) -> OwnError:
    """What a user's own reducer names."""
    return OwnError("rebuilt")


@pytest.fixture
def tblib(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that pickles exceptions and tracebacks, as tblib does once Dask is imported."""
    module = types.ModuleType("tblib.pickling_support")
    exec(
        "def load(*args): pass\n"
        "def pickle_exception(exc): return load, (str(exc),)\n"
        "def pickle_traceback(tb, *, get_locals=None): return load, ()\n",
        module.__dict__,
    )
    monkeypatch.setitem(sys.modules, "tblib.pickling_support", module)
    monkeypatch.setitem(sys.modules, "tblib", types.ModuleType("tblib"))
    traceback = functools.partial(module.pickle_traceback, get_locals=None)
    for kind, reduce in {
        ValueError: module.pickle_exception,
        OwnError: module.pickle_exception,
        types.TracebackType: traceback,
    }.items():
        monkeypatch.setitem(copyreg.dispatch_table, kind, reduce)


@pytest.mark.usefixtures("tblib")
@pytest.mark.parametrize("value", [ValueError("no"), [OwnError("no")]], ids=repr)
def test_exception(value: Any) -> None:
    """An exception, also inside of a result, names nothing of tblib."""
    assert b"tblib" not in dumps(value)


@pytest.mark.usefixtures("tblib")
def test_exception_is_the_same() -> None:
    """It is loaded with its class and text."""
    assert repr(pickle.loads(dumps(ValueError("no")))) == "ValueError('no')"


@pytest.mark.usefixtures("tblib")
def test_traceback() -> None:
    """A traceback cannot be pickled, as ever."""
    try:
        raise ValueError("no")
    except ValueError as exc:
        with pytest.raises(TypeError, match="traceback"):
            Pickler(io.BytesIO()).dump(exc.__traceback__)


def test_reducer_of_a_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reducer that a user has registered is called."""
    monkeypatch.setitem(copyreg.dispatch_table, OwnError, lambda exc: (rebuilt, ()))
    assert str(pickle.loads(dumps(OwnError("no")))) == "rebuilt"
