"""The task functions that fail, return or load in unusual ways: each is as unusual as it says."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest

from wove_http_dev.conformance.worker import pickles, tasks, unusual_tasks


def loaded(function: Any) -> Any:
    """Return ``function`` as a worker gets it."""
    return pickle.loads(pickles.pickled(function))


def test_a_coroutine_calls_a_function() -> None:
    """The coroutine passes the arguments on and returns what the function returns."""
    function, arguments = pickles.in_coroutine(tasks.echo, {"value": 5})
    assert asyncio.run(loaded(function)(**pickle.loads(pickles.pickled(arguments)))) == 5


def test_a_prickly_result_can_be_pickled() -> None:
    """A worker that only pickles it sends it."""
    assert pickles.pickled(loaded(unusual_tasks.prickly_result)())


@pytest.mark.parametrize("use", [bool, len, repr, hash, list, lambda value: value == 1])
def test_a_prickly_result_can_be_nothing_else(use: Any) -> None:
    """A worker that asks more of it fails."""
    with pytest.raises(RuntimeError):
        use(loaded(unusual_tasks.prickly_result)())


@pytest.mark.parametrize("function", [unusual_tasks.deep_result, unusual_tasks.generator])
def test_a_result_cannot_be_pickled(function: Any) -> None:
    """Pickling it raises."""
    with pytest.raises((RecursionError, TypeError, pickle.PicklingError)):
        pickles.pickled(loaded(function)())


def test_a_message_that_utf_8_cannot_write() -> None:
    """The message cannot be encoded."""
    with pytest.raises(ValueError, match="no such file") as raised:
        loaded(unusual_tasks.fail_in_surrogates)()
    with pytest.raises(UnicodeEncodeError):
        str(raised.value).encode()


def test_an_exception_that_exits_on_load() -> None:
    """It can be pickled, and loading the pickle exits."""
    with pytest.raises(Exception, match="does not load") as raised:
        loaded(unusual_tasks.exception_that_exits_on_load)()
    with pytest.raises(SystemExit):
        pickle.loads(pickles.pickled(raised.value))


def test_an_exception_that_loads_as_another() -> None:
    """The loaded exception is the one that was asked for."""
    with pytest.raises(Exception, match="on purpose") as raised:
        loaded(unusual_tasks.exception_that_loads_as)("TimeoutError")
    assert type(pickle.loads(pickles.pickled(raised.value))) is TimeoutError
