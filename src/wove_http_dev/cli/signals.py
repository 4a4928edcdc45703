"""Signal handlers of the commands that run until a signal ends them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def handled(handler: Callable[[int, object], object], *numbers: int) -> Iterator[None]:
    """Call ``handler`` for these signals until the block ends.

    A signal that was ignored when this process started stays ignored: ``nohup`` ignores SIGHUP, and
    a shell SIGINT for what it runs in the background (POSIX, ``sh``, 2.11), so that the signal does
    not end it.
    """
    previous = {
        number: signal.signal(number, handler)
        for number in numbers
        if signal.getsignal(number) not in (signal.SIG_IGN, None)  # None: not set by Python
    }
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
