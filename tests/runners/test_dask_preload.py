"""What the worker processes of a local Dask cluster do first."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from wove_http_dev.runners.dask_preload import dask_setup


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """SIGINT as it was, afterwards."""
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


def test_interrupt() -> None:
    """SIGINT does nothing."""
    dask_setup(None)
    signal.raise_signal(signal.SIGINT)


def test_not_inherited() -> None:
    """What a task starts does not ignore SIGINT."""
    dask_setup(None)
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_not_blocked() -> None:
    """SIGINT is not blocked, as it was in a process that has just started."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    dask_setup(None)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
