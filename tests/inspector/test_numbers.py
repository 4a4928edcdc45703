"""The ids of the control API."""

from __future__ import annotations

import gc

import pytest

from wove_http_dev.errors import NotFoundError
from wove_http_dev.inspector.numbers import Numbers, numbered


class Thing:
    pass


def test_number_is_kept() -> None:
    """An object has the same number each time."""
    numbers, first, second = Numbers[Thing]("thing"), Thing(), Thing()
    assert [number for number, _ in numbers.of([first, second, first])] == [1, 2, 1]


def test_number_is_not_used_again() -> None:
    """The number of an object that is gone is not given to another one."""
    numbers = Numbers[Thing]("thing")
    numbers.number(Thing())
    gc.collect()
    assert numbers.number(Thing()) == 2


def test_found() -> None:
    """An object is found by its number."""
    numbers, things = Numbers[Thing]("thing"), [Thing(), Thing()]
    assert numbers.find("2", things) is things[1]


def test_not_found() -> None:
    """The message says which numbers there are."""
    with pytest.raises(NotFoundError, match="no thing '7'; the ids are 1, 2"):
        Numbers[Thing]("thing").find("7", [Thing(), Thing()])


def test_not_the_only_one() -> None:
    """A single number cannot be read as a count."""
    with pytest.raises(NotFoundError, match="no thing '7'; the only id is 1"):
        Numbers[Thing]("thing").find("7", [Thing()])


def test_none() -> None:
    """The message says that there is none."""
    with pytest.raises(NotFoundError, match="no thing '7'; there is none"):
        Numbers[Thing]("thing").find("7", [])


@pytest.mark.parametrize("text", ["", "x", "-1", "+1", " 1", "1.0", "1_0", "\u0661", "9" * 5000])
def test_no_number(text: str) -> None:
    """What is not written as a number is found nowhere."""
    assert numbered(text, [(1, "a"), (10, "b")]) is None
