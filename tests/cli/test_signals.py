"""Signal handlers of commands that run until a signal ends them."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from wove_http_dev.cli.signals import handled

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
