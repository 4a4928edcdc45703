"""The task functions that keep state: each load of the pickle starts without any."""

from __future__ import annotations

import asyncio
import pickle
import pickletools
from typing import Any

import pytest

from wove_http_dev.conformance.worker import pickles, stateful_tasks

both = pytest.mark.parametrize("make", [stateful_tasks.counting, stateful_tasks.counting_async])


def seen(function: Any) -> set[int]:
    """Call ``function`` and return how many calls it says that it has seen before."""
    value = function()
    counts = asyncio.run(value) if asyncio.iscoroutine(value) else value
    assert len(counts) == 4
    return set(counts.values())


@both
def test_each_load_begins_anew(make: Any) -> None:
    """A function that was loaded anew has seen no call."""
    payload = pickles.pickled(make())
    assert [seen(pickle.loads(payload)) for _ in range(2)] == [{0}, {0}]


@both
def test_a_second_call_sees_the_first(make: Any) -> None:
    """A function that is called again has seen one call, in each place."""
    function = pickle.loads(pickles.pickled(make()))
    assert [seen(function) for _ in range(2)] == [{0}, {1}]


@both
def test_pickle_names_no_module_of_the_package(make: Any) -> None:
    """A worker loads the pickle without this package."""
    texts = [text for _, text, _ in pickletools.genops(pickles.pickled(make()))]
    assert not [text for text in texts if isinstance(text, str) and "wove_http_dev" in text]
