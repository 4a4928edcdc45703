"""An object that was seen before is recognised, and an equal one is not."""

from __future__ import annotations

import enum
import pickle
from dataclasses import dataclass
from typing import Any

import pytest

from wove_http_dev.survival.identity import PARTS, has_identity, parts, same_value


class Colour(enum.Enum):
    """A value of which there is one object."""

    RED = 1


@dataclass
class Report:
    """An object of an application."""

    rows: list[Any]


class Strange:
    """An object whose methods raise."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise LookupError

    def __repr__(self) -> str:
        return "strange"

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise LookupError


@pytest.mark.parametrize(
    "value", [None, True, 7, -5, "", "x", b"x", (), frozenset(), Colour.RED, int, len, pickle]
)
def test_shared_object(value: Any) -> None:
    """A value of which an interpreter keeps one object says nothing by its identity."""
    assert not has_identity(value)


@pytest.mark.parametrize("value", [1.5, 70_000, "text", b"bytes", [], {}, (1,), Report([])])
def test_object_with_identity(value: Any) -> None:
    """A value of which each computation makes another object has an identity."""
    assert has_identity(value)


def test_parts() -> None:
    """The parts of a value are in its containers and attributes."""
    row = {"price": 1.25}
    found = list(parts([Report([row])]))
    assert any(each is row for each in found)
    assert any(each is row["price"] for each in found)


def test_parts_without_attributes() -> None:
    """What an object keeps for itself may be left out."""
    row = {"price": 1.25}
    assert not any(each is row for each in parts(Report([row]), attributes=False))


def test_parts_of_a_strange_object() -> None:
    """No method of the value is called."""
    strange = Strange()
    assert list(parts([strange]))[1] is strange


def test_parts_of_a_circle() -> None:
    """A value that contains itself has an end."""
    value: list[Any] = []
    value.append(value)
    assert list(parts(value)) == [value]


def test_parts_are_bounded() -> None:
    """Of a huge value a part is looked at."""
    assert len(list(parts([float(n) for n in range(10 * PARTS)]))) <= PARTS


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((1, 2), [1, 2], False),
        ({"a": 1}, {"a": 1}, True),
        (float("nan"), float("nan"), True),
        (Strange(), Strange(), True),
        (Strange(), 1, False),
        (Report([1]), Report([1]), True),
        (object, None, False),
    ],
)
def test_same_value(one: Any, other: Any, same: bool) -> None:
    """Two values are the same if they are equal or have the same pickle."""
    assert same_value(one, other) is same


class Closed:
    """An object that cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError


def test_values_that_cannot_be_compared() -> None:
    """Values that can neither be compared nor pickled count as the same if their types are."""
    assert same_value(Closed(), Closed())
