"""Signal handlers of commands that run until a signal ends them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from wove_http_dev.cli.signals import handled, stop_signals

NUMBER = signal.SIGUSR1


@pytest.fixture
def received() -> Iterator[list[int]]:
    """The signals that a handler got; the disposition is restored at the end."""
    before = signal.getsignal(NUMBER)
    yield []
    signal.signal(NUMBER, before)


def receive(received: list[int]) -> None:
    """Send the signal to this process inside a block that handles it."""
    with handled(lambda number, _: received.append(number), NUMBER):
        signal.raise_signal(NUMBER)


def test_signal_is_handled(received: list[int]) -> None:
    """The handler is called."""
    signal.signal(NUMBER, signal.SIG_DFL)
    receive(received)
    assert received == [NUMBER]


def test_handler_is_restored(received: list[int]) -> None:
    """After the block the signal does what it did before."""
    signal.signal(NUMBER, signal.default_int_handler)
    receive(received)
    assert signal.getsignal(NUMBER) is signal.default_int_handler


def test_ignored_signal_stays_ignored(received: list[int]) -> None:
    """A signal that is ignored is not handled."""
    signal.signal(NUMBER, signal.SIG_IGN)
    receive(received)
    assert (received, signal.getsignal(NUMBER)) == ([], signal.SIG_IGN)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_stop_signal(number: signal.Signals) -> None:
    """A signal that ends a command is waited for."""
    with stop_signals() as signals:
        signal.raise_signal(number)
        assert signals.wait() == number


def test_another_signal(received: list[int]) -> None:
    """A signal that a task handles does not end the command."""
    with stop_signals() as signals:
        receive(received)
        signal.raise_signal(signal.SIGTERM)
        assert signals.wait() == signal.SIGTERM


def test_wake_up_is_restored() -> None:
    """After the block no descriptor is written at a signal."""
    with stop_signals():
        pass
    assert signal.set_wakeup_fd(-1) == -1


def test_end_at_once_is_undone() -> None:
    """After the block no thread waits for a signal."""
    with stop_signals() as signals:
        signals.end_at_once()
    assert [each.name for each in threading.enumerate() if "signals" in each.name] == []


def test_end_at_once_without_an_interrupt() -> None:
    """A further SIGTERM does not end the process."""
    with stop_signals() as signals:
        signals.end_at_once()
        signal.raise_signal(signal.SIGTERM)
