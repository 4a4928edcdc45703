"""Starting the daemon threads of this package's servers, and waiting for their end."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from tests.support import TIMEOUT
from wove_http_dev.errors import NoThreadError
from wove_http_dev.runs.threads import ThreadGroup, join_threads, start_thread


def test_thread_calls_its_target() -> None:
    """The target is called with the arguments that follow it."""
    got: list[int] = []
    start_thread(got.append, 1, name="a").join(TIMEOUT)
    assert got == [1]


def test_thread_is_a_daemon() -> None:
    """The thread does not keep the process alive."""
    assert start_thread(lambda: None, name="a").daemon


def test_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``threading`` raises when the system has no thread to give becomes an error of the
    service."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(NoThreadError, match="can't start new thread"):
        start_thread(lambda: None, name="a")


def test_join_leaves_out_the_calling_thread() -> None:
    """A thread that cannot wait for itself waits for the others."""
    other = start_thread(lambda: None, name="a")
    join_threads([threading.current_thread(), other], TIMEOUT)
    assert not other.is_alive()


def test_join_ends_with_its_time_limit() -> None:
    """Threads that go on are not waited for when no time is left."""
    end = threading.Event()
    threads = [start_thread(wait_for, end, name="a") for _ in range(2)]
    join_threads(threads, 0.0)
    alive = [thread.is_alive() for thread in threads]
    end.set()
    assert alive == [True, True]


def wait_for(event: threading.Event) -> None:
    event.wait(TIMEOUT)


class TestThreadGroup:
    """Threads that are waited for together."""

    def test_target_is_called(self) -> None:
        """The target is called with the arguments that follow it."""
        got: list[int] = []
        ThreadGroup().start(got.append, 1, name="a").join(TIMEOUT)
        assert got == [1]

    def test_all_are_waited_for(self) -> None:
        """Each thread that was started has ended afterwards, whenever that is."""
        group, released = ThreadGroup(), threading.Event()
        threads = [group.start(wait_for, released, name=name) for name in ("a", "b")]
        released.set()
        group.join(TIMEOUT)
        assert [each.is_alive() for each in threads] == [False, False]

    def test_time_is_that_of_all(self) -> None:
        """A thread that does not end is left behind, with those after it."""
        group, released = ThreadGroup(), threading.Event()
        threads = [group.start(wait_for, released, name=name) for name in ("a", "b")]
        group.join(0.0)
        alive = [each.is_alive() for each in threads]
        released.set()
        assert alive == [True, True]

    def test_ended_thread_is_forgotten(self) -> None:
        """A thread that has ended is kept by nothing."""
        group = ThreadGroup()
        thread = group.start(lambda: None, name="a")
        thread.join(TIMEOUT)
        there = weakref.ref(thread)
        del thread
        gc.collect()
        assert there() is None

    def test_no_thread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A thread that could not start is not waited for."""
        group = ThreadGroup()

        def start(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", start)
        with pytest.raises(NoThreadError):
            group.start(lambda: None, name="a")
        group.join(TIMEOUT)
