"""What ends a run that does not end by itself."""

from __future__ import annotations

import asyncio
import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from wove import weave

from wove_http_dev.pytest_plugin import watchdog
from wove_http_dev.pytest_plugin.fixtures import WorkerFactory
from wove_http_dev.pytest_plugin.watchdog import (
    Interruption,
    RunStuckError,
    Watchdog,
    cancel_weaves,
)

TIMEOUT = 30.0


def watch(
    *measures: Callable[[], None],
    quiet: float = 0.0,
    progress: Callable[[], object] = lambda: None,
    endless: Callable[[], bool] = lambda: False,
) -> Watchdog:
    """A watchdog that looks often."""
    return Watchdog(
        quiet=lambda: quiet,
        progress=progress,
        endless=endless,
        measures=measures,
        patience=0.001,
        interval=0.001,
    )


def test_measures_in_order() -> None:
    """Measures are taken one after the other while the run lasts."""
    taken: list[int] = []
    done = threading.Event()
    with watch(lambda: taken.append(1), lambda: taken.append(2), done.set):
        assert done.wait(TIMEOUT)
    assert taken == [1, 2]


def test_endless() -> None:
    """A run that is endless is ended although something happens all the time."""
    ended = threading.Event()
    counts = iter(range(10**9))
    with watch(
        ended.set, quiet=3600, progress=lambda: next(counts), endless=lambda: next(counts) > 20
    ):
        assert ended.wait(TIMEOUT)


def test_progress() -> None:
    """Nothing is done to a run in which something happens."""
    looked = threading.Semaphore(0)
    counts = iter(range(10**9))
    taken: list[int] = []

    def progress() -> object:
        looked.release()
        return next(counts)

    with watch(lambda: taken.append(1), quiet=3600, progress=progress):
        for _ in range(5):
            assert looked.acquire(timeout=TIMEOUT)
    assert taken == []


def test_a_machine_that_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time in which the watchdog itself did not run does not count: the run may not have either."""
    hours = (3600.0 * number for number in itertools.count())
    monkeypatch.setattr(watchdog, "time", SimpleNamespace(monotonic=lambda: next(hours)))
    looks: list[object] = []
    ended = threading.Event()
    with watch(ended.set, quiet=0.03, progress=lambda: looks.append(None)):
        assert ended.wait(TIMEOUT)
    assert len(looks) > 20  # each counts for at most 0.0015 s


def test_when_still() -> None:
    """What is to be done while nothing happens is done before any measure."""
    called = threading.Event()
    watchdog = Watchdog(
        quiet=lambda: 3600,
        progress=lambda: None,
        endless=lambda: False,
        measures=[],
        patience=0.001,
        when_still=(0.0, called.set),
        interval=0.001,
    )
    with watchdog:
        assert called.wait(TIMEOUT)


def test_no_thread_is_left() -> None:
    """At the end of the block the thread has ended."""
    watching = watch()
    with watching:
        pass
    assert not watching._thread.is_alive()


def test_weaves_are_cancelled(wove_http_worker_factory: WorkerFactory) -> None:
    """A weave that nothing of the worker's can end is cancelled."""
    worker = wove_http_worker_factory(timeout=None, delivery_timeout=None)
    worker.inject("missing-terminal")

    def cancel_when_answered() -> None:
        worker.wait_for("lost", timeout=TIMEOUT)
        cancel_weaves()

    cancelling = threading.Thread(target=cancel_when_answered)
    cancelling.start()
    with pytest.raises(asyncio.CancelledError), weave() as w:

        @w.do(environment="workers")
        def lost() -> int:
            return 1

    cancelling.join()


def test_other_loops_go_on() -> None:
    """A task that is not a weave's is not cancelled."""

    async def other() -> str:
        cancel_weaves()
        await asyncio.sleep(0)
        return "done"

    assert asyncio.run(other()) == "done"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C does what it does in a terminal: a background job ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_interrupted_where_it_waits() -> None:
    """The main thread is interrupted in a wait without end."""

    def wait() -> None:
        threading.Timer(0.01, interruption.interrupt).start()
        threading.Event().wait(TIMEOUT)

    with Interruption() as interruption, pytest.raises(RunStuckError):
        wait()


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_is_noted() -> None:
    """Ctrl-C does what it does without the block, and can be told from a fault's exception."""
    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interruption.by_user


def test_the_handler_is_restored() -> None:
    """After the block Ctrl-C has its former handler."""
    before = signal.getsignal(signal.SIGINT)
    with Interruption():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_an_ignored_signal_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Ctrl-C is ignored, as in a background job, it stays so."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
