"""The checker's loader for pickles from a service: values and built-in exceptions, nothing else."""

from __future__ import annotations

import base64
import os
import pickle
import subprocess
from typing import Any

import pytest

from wove_http_dev.conformance.worker.tasks import mixed_values
from wove_http_dev.conformance.worker.unpickling import Refused, Unloadable, brief, load


def field(payload: bytes) -> str:
    """Return ``payload`` in the base64 form of a ``*_pickle`` field."""
    return base64.b64encode(payload).decode()


@pytest.mark.parametrize("value", [mixed_values(), [1.5, True, 2j], frozenset({"é"}), None])
@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_values_load(value: Any, protocol: int) -> None:
    """Plain values are loaded from every pickle protocol from 2 on."""
    if protocol == 2 and isinstance(value, dict):
        pytest.skip("protocol 2 writes bytes by a function")
    assert load(field(pickle.dumps(value, protocol))) == value


def test_built_in_exceptions_load() -> None:
    """Built-in exceptions are loaded, because tasks raise them."""
    assert load(field(pickle.dumps(KeyError("k")))).args == ("k",)


@pytest.mark.parametrize(
    "value",
    [os.getpid, subprocess.Popen, eval, getattr, print, object(), bytearray(b"x"), range(3)],
)
def test_any_other_name_is_refused(value: Any) -> None:
    """A function or class is refused without being imported."""
    with pytest.raises(Refused):
        load(field(pickle.dumps(value)))


def test_a_huge_memo_index_takes_no_memory() -> None:
    """A huge memo index does not allocate memory; the C unpickler would allocate a table of that
    size."""
    assert load(field(b"\x80\x04Nr\xff\xff\xff\x7f.")) is None


@pytest.mark.parametrize(
    "text", [None, 5, "a", "é", field(b""), field(b"\x80\x05garbage"), field(b"]h\x05.")]
)
def test_what_is_no_pickle_does_not_load(text: Any) -> None:
    """A field that is not a base64 pickle raises ``Unloadable``."""
    with pytest.raises(Unloadable):
        load(text)


def test_a_pickle_beyond_the_limit_is_refused() -> None:
    """A pickle longer than the limit is refused."""
    with pytest.raises(Refused):
        load(field(b"N0" * 100 + b"N."), limit=100)


def test_a_value_is_shown_in_short() -> None:
    """The ``repr`` of a deep and long value is short."""
    value: Any = "x" * 10_000
    for _ in range(50):
        value = [value, value]
    assert len(brief(value)) < 1000
    assert len(brief(ValueError(value))) < 1000
