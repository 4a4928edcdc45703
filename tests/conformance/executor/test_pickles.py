"""Values that do something when they are unpickled."""

from __future__ import annotations

import pickle
import time

from wove_http_dev.conformance.executor.pickles import PickleCanary, SlowPickle


def test_a_canary_records_that_it_was_loaded() -> None:
    """Loading its pickle is what counts, not making it."""
    canary = PickleCanary()
    data = pickle.dumps(canary)
    before = canary.loaded
    pickle.loads(data)
    assert (before, canary.loaded) == (False, True)


def test_a_canary_is_not_confused_with_another() -> None:
    """Each has a number of its own."""
    first, second = PickleCanary(), PickleCanary()
    pickle.loads(pickle.dumps(first))
    assert not second.loaded


def test_a_slow_pickle_takes_its_time_to_load() -> None:
    """In the thread that unpickles it."""
    data = pickle.dumps(SlowPickle(0.05))
    began = time.monotonic()
    pickle.loads(data)
    assert time.monotonic() - began >= 0.05
