"""Plain data is read from pickles, and nothing else: nothing is loaded."""

from __future__ import annotations

import pickle
from typing import Any

import cloudpickle
import pytest

from wove_http_dev.protocol.plain_pickle import BYTE_LIMIT, NotPlainError, read_plain

PLAIN: list[Any] = [
    None,
    True,
    -(2**70),
    1.5,
    "text",
    b"bytes",
    [],
    [1, [2, "two"]],
    (),
    (1,),
    (1, 2, 3, 4),
    {},
    {"kind": "ValueError", "message": "same", "traceback": "same", "retryable": False},
]


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("value", [value for value in PLAIN if value != b"bytes"])
def test_plain_data(value: Any, protocol: int) -> None:
    """Plain data comes back as it was pickled, in each protocol."""
    assert read_plain(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, frozenset([1]), set(), bytearray(b"a")])
def test_newer_plain_data(value: Any) -> None:
    """So do bytes and sets, which the protocols from 5 on have opcodes for."""
    assert read_plain(pickle.dumps(value, protocol=5)) == value


def test_cloudpickle() -> None:
    """An error as Wove sends it, by cloudpickle, is plain data."""
    error = {"kind": "ValueError", "message": "no", "traceback": "…", "retryable": False}
    assert read_plain(cloudpickle.dumps(error)) == error


class Canary:
    """Notes that it was unpickled."""

    loaded: list[int] = []  # noqa: RUF012

    def __reduce__(self) -> Any:
        return self.loaded.append, (1,)


@pytest.mark.parametrize("value", [Canary(), [Canary()], print, ValueError("no"), 1j])
def test_anything_else(value: Any) -> None:
    """What is more than plain data is refused."""
    with pytest.raises(NotPlainError, match="more than plain data"):
        read_plain(pickle.dumps(value))


def test_nothing_is_called() -> None:
    """What a pickle would call when it is loaded is not called."""
    with pytest.raises(NotPlainError):
        read_plain(pickle.dumps(Canary()))
    assert Canary.loaded == []


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b".",
        b"(.",
        b"]",
        b"K\x01K\x02.",
        b"a.",
        b"Na.",
        b"u.",
        b"(KKu.",
        b"h\x07.",
        b"\x80",
        b"\x95\xff\xff\xff\xff\xff\xff\xff\xffN",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"r\xff\xff\xff\x7f.",
        b"}(]K\x01u.",
    ],
)
def test_hostile_bytes(payload: bytes) -> None:
    """Bytes that are no pickle, or a broken one, are refused."""
    with pytest.raises(NotPlainError):
        read_plain(payload)


def test_large_memo_index() -> None:
    """A memo index that would take gigabytes in CPython's own unpickler takes nothing."""
    assert read_plain(b"Nr\xff\xff\xff\x7f.") is None


def test_container_used_twice() -> None:
    """A container inside a container many times over, whose text would be endless, is refused."""
    inner: list[Any] = ["ha"]
    for _ in range(100):
        inner = [inner, inner]
    with pytest.raises(NotPlainError, match="used twice"):
        read_plain(pickle.dumps(inner))


def test_too_large() -> None:
    """A pickle of more than the limit is not read."""
    with pytest.raises(NotPlainError, match="more than"):
        read_plain(pickle.dumps("a" * BYTE_LIMIT))
