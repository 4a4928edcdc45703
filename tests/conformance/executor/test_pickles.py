"""Values that have an effect when they are unpickled."""

from __future__ import annotations

import pickle
import time

from wove_http_dev.conformance.executor.pickles import PickleCanary, SlowPickle


def test_a_canary_records_that_it_was_loaded() -> None:
    """A canary records that its pickle was loaded, not that it was created."""
    canary = PickleCanary()
    data = pickle.dumps(canary)
    before = canary.loaded
    pickle.loads(data)
    assert (before, canary.loaded) == (False, True)


def test_a_canary_is_not_confused_with_another() -> None:
    """Loading one canary does not mark another as loaded."""
    first, second = PickleCanary(), PickleCanary()
    pickle.loads(pickle.dumps(first))
    assert not second.loaded


def test_a_slow_pickle_takes_its_time_to_load() -> None:
    """A slow pickle blocks the thread that unpickles it for the given time."""
    data = pickle.dumps(SlowPickle(0.05))
    began = time.monotonic()
    pickle.loads(data)
    assert time.monotonic() - began >= 0.05
