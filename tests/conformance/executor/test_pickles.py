"""Values that have an effect when they are unpickled."""

from __future__ import annotations

import pickle
import threading

import pytest

from wove_http_dev.conformance.executor.pickles import (
    Awkward,
    HeldPickle,
    HeldPickling,
    PickleCanary,
    RaisesWhenLoaded,
)


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


def test_held_pickling_blocks_the_thread_that_pickles_it() -> None:
    """Pickling such a value sets ``pickling``, and does not end before ``released`` is set."""
    held, found = HeldPickling(), []
    thread = threading.Thread(target=lambda: found.append(pickle.loads(pickle.dumps(held))))
    thread.start()
    seen = held.pickling.wait(30), thread.is_alive()
    held.released.set()
    thread.join(30)
    assert (seen, found) == ((True, True), ["pickled"])


def test_a_held_pickle_blocks_the_thread_that_loads_it() -> None:
    """Loading a held pickle sets ``loading``, and does not end before ``released`` is set."""
    held = HeldPickle()
    thread = threading.Thread(target=pickle.loads, args=(pickle.dumps(held),))
    thread.start()
    seen = held.loading.wait(30), thread.is_alive()
    held.released.set()
    thread.join(30)
    assert (seen, thread.is_alive()) == ((True, True), False)


def test_a_value_raises_when_it_is_loaded() -> None:
    """The exception of a raising value is raised by its load, not before."""
    data = pickle.dumps(RaisesWhenLoaded(SystemExit(3)))
    with pytest.raises(SystemExit):
        pickle.loads(data)


def test_an_awkward_value_is_pickled_and_refuses_use() -> None:
    """An awkward value comes back from its pickle, and raises when it is used."""
    value = pickle.loads(pickle.dumps(Awkward()))
    for use in (repr, bool, hash, len):
        with pytest.raises(TypeError):
            use(value)
