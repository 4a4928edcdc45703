"""The exception of a stub that the control API makes."""

from __future__ import annotations

import pytest

from wove_http_dev.errors import FrameError, UsageError
from wove_http_dev.inspector.stub_error import exception_of


def test_built_in() -> None:
    """A built-in class is known by its name."""
    assert repr(exception_of("KeyError", "none")) == "KeyError('none')"


def test_of_a_module() -> None:
    """A class of a module is known by both names."""
    assert type(exception_of("wove_http_dev.errors.FrameError", "x")) is FrameError


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ValueEror", "'ValueEror' is no exception; did you mean 'ValueError'?"),
        ("zzz", "name a built-in one, or module.Class"),
        ("print", "is no exception"),
        ("os.path.join", "is no exception"),
        ("no_such_module.Error", "No module named 'no_such_module'"),
        ("os.NoSuchError", "has no attribute 'NoSuchError'"),
        ("UnicodeDecodeError", "takes exactly 5 arguments"),
    ],
)
def test_wrong(name: str, message: str) -> None:
    """Anything else is an error that says why."""
    with pytest.raises(UsageError) as caught:
        exception_of(name, "x")
    assert message in str(caught.value)
