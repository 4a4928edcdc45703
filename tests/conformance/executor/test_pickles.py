"""Values that have an effect when they are unpickled."""

from __future__ import annotations

import pickle
import threading

from wove_http_dev.conformance.executor.pickles import HeldPickle, PickleCanary


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


def test_a_held_pickle_blocks_the_thread_that_loads_it() -> None:
    """Loading a held pickle sets ``loading``, and does not end before ``released`` is set."""
    held = HeldPickle()
    thread = threading.Thread(target=pickle.loads, args=(pickle.dumps(held),))
    thread.start()
    seen = held.loading.wait(30), thread.is_alive()
    held.released.set()
    thread.join(30)
    assert (seen, thread.is_alive()) == ((True, True), False)
