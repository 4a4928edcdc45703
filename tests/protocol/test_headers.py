"""Headers as they were sent."""

from __future__ import annotations

import pytest

from wove_http_dev.protocol.headers import Headers

FIELDS = [("Accept", "a"), ("X-One", "1"), ("ACCEPT", "b")]
SOME = Headers(FIELDS)


def test_first_value() -> None:
    """The first value is found in any letter case of the name."""
    assert (SOME["aCCept"], SOME.get("aCCept")) == ("a", "a")


def test_all_values() -> None:
    """All values of a name are found, in order."""
    assert SOME.getlist("accept") == ["a", "b"]


def test_default() -> None:
    """A header that was not sent is the default."""
    assert (SOME.get("host"), SOME.get("host", "0"), SOME.getlist("host")) == (None, "0", [])


def test_missing() -> None:
    """It is an error to index a header that was not sent."""
    with pytest.raises(KeyError):
        SOME["host"]


@pytest.mark.parametrize(("name", "sent"), [("x-ONE", True), ("x-two", False)])
def test_contains(name: str, sent: bool) -> None:
    """Whether a header was sent can be asked in any letter case."""
    assert (name in SOME) is sent


def test_order() -> None:
    """Names and values come as they were sent."""
    assert [list(SOME), list(SOME.items()), len(SOME)] == [FIELDS, FIELDS, 3]


def test_without() -> None:
    """Every value of a header is left out, in any letter case of the name."""
    assert list(SOME.without("aCCept")) == [("X-One", "1")]


def test_without_does_not_change_the_original() -> None:
    """The original headers are not changed."""
    SOME.without("accept")
    assert SOME.get("accept") == "a"


def test_equality() -> None:
    """Headers with the same fields are equal."""
    assert (Headers(FIELDS), hash(Headers(FIELDS))) == (SOME, hash(SOME))


def test_repr() -> None:
    """The repr has the fields."""
    assert repr(Headers(FIELDS[:1])) == "Headers([('Accept', 'a')])"


def test_repr_hides_credentials() -> None:
    """The repr, which pytest shows of a local variable, does not have the value of a header with
    credentials."""
    assert (
        repr(Headers([("Authorization", "Bearer t")])) == "Headers([('Authorization', <secret>)])"
    )
